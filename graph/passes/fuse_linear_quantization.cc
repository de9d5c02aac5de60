// quantize_rows(linear(…) {activation = …, format = "int8"})
//   ->  linear(…) {activation = …, format = "int8", result = "u8_rows"}, and so for all integers
//
// The wide rows between the two linears of an FFN never exist as floats, but for a few columns at a time.
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_linear_quantization(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  ValueUses uses = count_uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op != Op::quantize_rows) continue;
    Node* linear = sole_maker(graph, uses, node.inputs[0], Op::linear);
    if (!linear || !is_integer(*linear)) continue;
    // Columns that pad a block hold activation(0), which must not widen the block's range.
    if (!has(*linear, "activation") || text(*linear, "activation") == "sigmoid") continue;
    linear->attributes["result"] = std::string(kCodes);
    take_over_result(uses, *linear, node);
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
