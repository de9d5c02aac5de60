// layernorm(add(x, residual), gamma, beta)  ->  layernorm(x, residual, gamma, beta)
#include "graph/passes/fuse_into_maker.h"
#include "graph/passes/passes.h"

namespace nybble::graph {

void fuse_residual_layernorm(Graph& graph, const PassSettings& settings) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (node.op != Op::layernorm || node.inputs.size() != 3) continue;
    const std::ptrdiff_t add = sole_maker(graph, node.inputs[0], Op::add);
    if (add < 0) continue;
    const std::vector<ValueId>& terms = graph.nodes[static_cast<std::size_t>(add)].inputs;
    // A value added to itself is read twice by one node; leave it alone.
    if (terms[0] == terms[1]) continue;
    node.inputs = {terms[0], terms[1], node.inputs[1], node.inputs[2]};
    graph.nodes.erase(graph.nodes.begin() + add);
    --i;
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
