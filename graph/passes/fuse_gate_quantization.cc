// quantize_rows(gate(linear(…) {format = "int8"}) {kind = K, up_first = U})
//   ->  linear(…) {format = "int8", gate = K, result = "u8_rows", up_first = U}, and so for all integers
//
// The rows of both halves, wider than any other of the model, never exist as floats, but for a few columns at
// a time.
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_gate_quantization(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  ValueUses uses = count_uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op != Op::quantize_rows) continue;
    const Node* gate = sole_maker(graph, uses, node.inputs[0], Op::gate);
    if (!gate) continue;
    Node* linear = sole_maker(graph, uses, gate->inputs[0], Op::linear);
    if (!linear || !is_integer(*linear) || has(*linear, "activation")) continue;
    linear->attributes["gate"] = text(*gate, "kind");
    linear->attributes["up_first"] = integer(*gate, "up_first");
    linear->attributes["result"] = std::string(kCodes);
    take_over_result(uses, *linear, node);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
