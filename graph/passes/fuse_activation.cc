// activation(linear(…))  ->  linear(…) {activation = …}
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_activation(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  ValueUses uses = count_uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op != Op::activation) continue;
    Node* linear = sole_maker(graph, uses, node.inputs[0], Op::linear);
    if (!linear || has(*linear, "activation")) continue;
    linear->attributes["activation"] = text(node, "kind");
    take_over_result(uses, *linear, node);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
