// add_bias(linear(x, W), b)  ->  linear(x, W, b)
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_bias(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  ValueUses uses = count_uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op != Op::add_bias) continue;
    Node* linear = sole_maker(graph, uses, node.inputs[0], Op::linear);
    if (!linear || linear->inputs.size() != 2 || has(*linear, "activation")) continue;
    // The bias is a weight, so the linear may read it wherever it stands.
    linear->inputs.push_back(node.inputs[1]);
    take_over_result(uses, *linear, node);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
