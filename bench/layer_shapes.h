// Shapes of linear layers, from text files (bench/shapes).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nybble::bench {

/// A linear layer y [M, n] = x [M, k] · Wᵀ.
struct LayerShape {
  std::string name;  ///< "bert-base ffn1"
  int n, k;
};

/// Reads `NAME N K` a line; # begins a comment; empty lines are skipped. N and K are 1..65536. `source` names
/// the text in errors. A line that is not that, or a text without a shape, throws Error{bad_input}.
std::vector<LayerShape> parse_layer_shapes(std::string_view text, const std::string& source);
/// The same of a file; throws Error{io} where it cannot be read.
std::vector<LayerShape> read_layer_shapes(const std::string& file);

/// One of the models whose shapes the program carries.
struct ModelShapes {
  std::string_view model;  ///< "bert-base"
  std::string_view text;   ///< of its file
};
/// The smallest first.
std::vector<ModelShapes> carried_models();
/// Their layers, each N × K once, under its model's and its own name.
std::vector<LayerShape> carried_layer_shapes(bool first_model_alone);

}  // namespace nybble::bench
