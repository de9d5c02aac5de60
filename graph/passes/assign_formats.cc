// Gives each linear its weight format. For int8 the rows that enter it are quantized by a node of their own,
// shared by the linears that read the same rows:  linear(x, W)  ->  linear(quantize_rows(x), W) {format =
// "int8"}
#include <map>

#include "graph/passes/passes.h"

namespace nybble::graph {
namespace {

/// A result that only quantize_rows reads may come from the cheaper grade of its activation
/// (docs/numerics.md).
void choose_activation_grade(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (node.op != Op::linear || !has(node, "activation") || text(node, "activation") != "gelu_erf") continue;
    if (is_output(graph, node.output)) continue;
    bool all_quantize = true;
    for (const std::size_t reader : readers(graph, node.output)) {
      all_quantize = all_quantize && graph.nodes[reader].op == Op::quantize_rows;
    }
    if (all_quantize) node.attributes["activation"] = std::string("gelu_erf_q");
  }
}

void quantize_inputs(Graph& graph) {
  std::vector<Node> old;
  old.swap(graph.nodes);
  std::map<ValueId, ValueId> quantized;
  for (Node& node : old) {
    if (node.op == Op::linear) {
      const ValueId x = node.inputs[0];
      if (!quantized.contains(x)) {
        const std::string name = graph.values[static_cast<std::size_t>(x)].name + ".u8";
        quantized[x] = add_node(graph, Op::quantize_rows, name, {x});
      }
      node.inputs[0] = quantized[x];
      node.attributes["format"] = std::string("int8");
    }
    graph.nodes.push_back(std::move(node));
  }
}

}  // namespace

void assign_formats(Graph& graph, const PassSettings& settings) {
  if (settings.weights == WeightFormat::f32) {
    for (Node& node : graph.nodes) {
      if (node.op == Op::linear) node.attributes["format"] = std::string("f32");
    }
    return;
  }
  quantize_inputs(graph);
  choose_activation_grade(graph);
}

}  // namespace nybble::graph
