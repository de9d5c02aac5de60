// attention(…)  ->  attention(…) {format = "int8"}, where the weights are integers: queries, keys and values
// are quantized on the way (docs/numerics.md). An attention without a format runs on floats.
#include "graph/passes/passes.h"

namespace nybble::graph {

void integer_attention(Graph& graph, const PassSettings& settings) {
  if (settings.weights == WeightFormat::f32) return;
  for (Node& node : graph.nodes) {
    if (node.op == Op::attention && !has(node, "format")) node.attributes["format"] = std::string("int8");
  }
}

}  // namespace nybble::graph
