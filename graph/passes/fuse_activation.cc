// activation(linear(…))  ->  linear(…) {activation = …}
#include "graph/passes/fuse_into_maker.h"
#include "graph/passes/passes.h"

namespace nybble::graph {

void fuse_activation(Graph& graph, const PassSettings& settings) {
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const Node& node = graph.nodes[i];
    const std::ptrdiff_t linear =
        node.op == Op::activation ? sole_maker(graph, node.inputs[0], Op::linear) : -1;
    if (linear < 0 || has(graph.nodes[static_cast<std::size_t>(linear)], "activation")) {
      ++i;
      continue;
    }
    graph.nodes[static_cast<std::size_t>(linear)].attributes["activation"] = text(node, "kind");
    absorb(graph, static_cast<std::size_t>(linear), i);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
