// quantize_rows(layernorm(…))  ->  layernorm(…) {result = "f32_u8_rows"}
//
// The norm makes the codes of a row while it is in registers and L1; whoever reads the row as floats, a
// residual, still can.
#include <map>

#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void fuse_norm_quantization(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  const ValueUses uses = count_uses(graph);
  std::map<ValueId, ValueId> replaced;  // the codes of a node of their own, by the norm's result
  for (const Node& node : graph.nodes) {
    if (node.op != Op::quantize_rows) continue;
    const ValueId rows = node.inputs[0];
    const std::ptrdiff_t made_by = uses.maker[static_cast<std::size_t>(rows)];
    if (made_by < 0 || is_output(graph, rows) || is_output(graph, node.output)) continue;
    Node& norm = graph.nodes[static_cast<std::size_t>(made_by)];
    if (norm.op != Op::layernorm) continue;
    norm.attributes["result"] = std::string(kRowsAndCodes);
    graph.values[static_cast<std::size_t>(rows)].type = ElementType::f32_u8_rows;
    replaced[node.output] = rows;
  }
  for (Node& node : graph.nodes) {
    for (ValueId& input : node.inputs) {
      if (const auto found = replaced.find(input); found != replaced.end()) input = found->second;
    }
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
