// layernorm(add(x, residual), gamma, beta)  ->  layernorm(x, residual, gamma, beta)
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_residual_layernorm(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  const ValueUses uses = count_uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op != Op::layernorm || has_residual(graph, node)) continue;
    const Node* add = sole_maker(graph, uses, node.inputs[0], Op::add);
    // The fused form is for two values.
    if (!add || add->inputs[0] == add->inputs[1]) continue;
    node.inputs[0] = add->inputs[0];
    node.inputs.insert(node.inputs.begin() + 1, add->inputs[1]);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
