// add_bias(linear(x, W), b)  ->  linear(x, W, b)
#include "graph/passes/fuse_into_maker.h"
#include "graph/passes/passes.h"

namespace nybble::graph {

void fuse_bias(Graph& graph, const PassSettings& settings) {
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const Node& node = graph.nodes[i];
    const std::ptrdiff_t linear =
        node.op == Op::add_bias ? sole_maker(graph, node.inputs[0], Op::linear) : -1;
    // The bias is a weight, so the linear may read it wherever it stands.
    if (linear < 0 || graph.nodes[static_cast<std::size_t>(linear)].inputs.size() != 2 ||
        has(graph.nodes[static_cast<std::size_t>(linear)], "activation") ||
        graph.values[static_cast<std::size_t>(node.inputs[1])].kind != ValueKind::weight) {
      ++i;
      continue;
    }
    graph.nodes[static_cast<std::size_t>(linear)].inputs.push_back(node.inputs[1]);
    absorb(graph, static_cast<std::size_t>(linear), i);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
