// What the fusing passes share: a node that is the only reader of another's result can be folded into that
// other node.
#pragma once

#include "graph/ir.h"

namespace nybble::graph {

/// The node that makes `value` if it is of op `op` and exactly one node (and no output) reads the value;
/// else -1.
inline std::ptrdiff_t sole_maker(const Graph& graph, ValueId value, Op op) {
  const std::ptrdiff_t made_by = maker(graph, value);
  if (made_by < 0 || graph.nodes[static_cast<std::size_t>(made_by)].op != op) return -1;
  return readers(graph, value).size() == 1 && !is_output(graph, value) ? made_by : -1;
}

/// Removes the node at `absorbed`, whose result `into` (an earlier or later node) now makes.
inline void absorb(Graph& graph, std::size_t into, std::size_t absorbed) {
  graph.nodes[into].output = graph.nodes[absorbed].output;
  graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(absorbed));
}

}  // namespace nybble::graph
