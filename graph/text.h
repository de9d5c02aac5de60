// The IR as text, a line each for the graph, its inputs, weights, nodes and outputs:
//
//   graph bert
//   input %ids : i32[tokens]
//   weight %embeddings.word : f32[30522,384] = "embeddings.word_embeddings.weight"
//   %x : f32[tokens,384] = layernorm(%sum, %gamma, %beta) {epsilon = 1e-12}
//   output embedding = %normalized
//
// print() and parse() are inverse for every graph that verify() accepts, so that a pass is tested text in,
// text out: print(parse(print(g))) == print(g), and parse(print(g)) is g but for the numbering of its values,
// which becomes that of the text (inputs, weights, results). A graph without a name has no first line.
#pragma once

#include <string>
#include <string_view>

#include "graph/ir.h"

namespace nybble::graph {

/// The text of a graph that verify() accepts.
std::string print(const Graph& graph);
/// "f32[tokens,384]"
std::string print_type(ElementType type, const Shape& shape);
/// "f32"
std::string_view type_name(ElementType type);

/// Reads what print() writes; blank lines and lines that begin with '#' are passed over. A value must be
/// declared above the lines that read it. Throws Error{bad_input} naming line and column (both from 1, the
/// column in bytes), what was expected and what was found. The result is verified.
Graph parse(std::string_view text);

}  // namespace nybble::graph
