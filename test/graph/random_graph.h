// Random graphs that verify() accepts.
#pragma once

#include <cstdint>

#include "graph/ir.h"

namespace nybble::graph::test {

/// A graph of about `nodes` nodes of every op, its values in no particular order, with attributes of all
/// three types. The same seed gives the same graph.
Graph random_graph(std::uint32_t seed, int nodes);

/// The graph with its values numbered as print() writes them: inputs, weights, results in node order.
Graph renumbered(const Graph& graph);

}  // namespace nybble::graph::test
