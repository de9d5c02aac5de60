// The IR as text, a line each for the graph, its inputs, weights, nodes and outputs:
//
//   graph bert
//   input %ids : i32[tokens]
//   weight %embeddings.word : f32[30522,384] = "embeddings.word_embeddings.weight"
//   %x : f32[tokens,384] = layernorm(%sum, %gamma, %beta) {epsilon = 1e-12}
//   output embedding = %normalized
//
// print() and parse() are inverse for every graph that verify() accepts, so that a pass is tested text in,
// text out.
#pragma once

#include <string>
#include <string_view>

#include "graph/ir.h"

namespace nybble::graph {

std::string print(const Graph& graph);
std::string print_type(ElementType type, const Shape& shape);

/// Reads what print() writes; blank lines and lines that begin with '#' are passed over. Throws
/// Error{bad_input} naming the line, what was expected and what was found. The result is verified.
Graph parse(std::string_view text);

}  // namespace nybble::graph
