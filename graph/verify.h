// The rules of the IR: what each op takes and makes, and whether a graph keeps them.
#pragma once

#include "graph/ir.h"

namespace nybble::graph {

struct ResultType {
  ElementType type = ElementType::f32;
  Shape shape;
};

/// The type and shape that `node` makes of its inputs. Throws Error{bad_input} with op, input, expected and
/// found if the inputs or attributes do not fit the op. node.output is not read.
ResultType infer_result(const Graph& graph, const Node& node);

/// Throws Error{bad_input} with a sentence naming the node or value unless: names are unique, every input was
/// made by an earlier node (or is an input or weight), every value is made once, results have the inferred
/// type, weights have tensors, outputs exist.
void verify(const Graph& graph);

}  // namespace nybble::graph
