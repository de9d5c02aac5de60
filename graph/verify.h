// The rules of the IR: what each op takes and makes, and whether a graph keeps them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graph/ir.h"

namespace nybble::graph {

struct ResultType {
  ElementType type = ElementType::f32;
  Shape shape;
};

/// The type and shape that `node` makes of its inputs. Throws Error{bad_input} with op, input, expected and
/// found if the inputs or attributes do not fit the op. node.output is not read.
ResultType infer_result(const Graph& graph, const Node& node);

/// The largest fixed extent: the product of any two, and three times any one, fit an int64.
inline constexpr std::int64_t kMaxExtent = (std::int64_t{1} << 31) - 1;

/// Bytes of a problem that an error tells, whatever names a hostile text has.
inline constexpr std::size_t kMostTold = 1000;

/// Throws Error{bad_input}: "graph: " and at most kMostTold bytes of the sentence.
[[noreturn]] void fail_graph(const std::string& sentence);

/// Whether `name` can stand in the text form: letters, digits, '_', '.' and '-', at least one.
bool is_name(std::string_view name);

/// Throws Error{bad_input} with a sentence naming the node or value unless: names are names (is_name; the
/// graph's own may be empty) and those of values and of outputs are unique; fixed extents lie in
/// [1, kMaxExtent]; weights are f32 of fixed extents and have tensors, and nothing else has; every node's
/// input was made by an earlier node (or is an input or weight); every result is made once and has the
/// inferred type; numbers among the attributes are finite; there is an output and all outputs are made.
void verify(const Graph& graph);

}  // namespace nybble::graph
