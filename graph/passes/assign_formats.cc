// Gives each linear that has none its weight format. For integers the rows that enter it are quantized by a
// node of their own, shared by the linears that read the same rows:
// linear(x, W)  ->  linear(quantize_rows(x), W) {format = "int8"}
#include <map>

#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"
#include "quant/integer_format.h"

namespace nybble::graph {
namespace {

bool lacks_format(const Node& node) { return node.op == Op::linear && !has(node, "format"); }

/// A result that only quantize_rows reads may come from the cheaper grade of its activation
/// (docs/numerics.md).
void choose_activation_grade(Graph& graph) {
  const ValueUses uses = count_uses(graph);
  std::vector<std::size_t> quantizes(graph.values.size());
  for (const Node& node : graph.nodes) {
    if (node.op == Op::quantize_rows) ++quantizes[static_cast<std::size_t>(node.inputs[0])];
  }
  for (Node& node : graph.nodes) {
    const auto result = static_cast<std::size_t>(node.output);
    if (quantizes[result] == 0 || quantizes[result] != uses.reads[result]) continue;
    if (node.op != Op::linear || !has(node, "activation") || text(node, "activation") != "gelu_erf") continue;
    node.attributes["activation"] = std::string("gelu_erf_q");
  }
}

void quantize_inputs(Graph& graph, const std::string& format) {
  FreshNames names(graph);
  std::vector<Node> old;
  old.swap(graph.nodes);
  std::map<ValueId, ValueId> quantized;
  for (Node& node : old) {
    if (node.op == Op::quantize_rows) quantized.emplace(node.inputs[0], node.output);
    if (lacks_format(node)) {
      const ValueId x = node.inputs[0];
      if (!quantized.contains(x)) {
        const std::string name = names.take(graph.values[static_cast<std::size_t>(x)].name + ".u8");
        quantized[x] = add_node(graph, Op::quantize_rows, name, {x});
      }
      node.inputs[0] = quantized[x];
      node.attributes["format"] = format;
    }
    graph.nodes.push_back(std::move(node));
  }
}

}  // namespace

std::string_view format_name(WeightFormat format) {
  if (format == WeightFormat::f32) return "f32";
  return quant::kIntegerFormats[static_cast<std::size_t>(format) - 1].name;
}

void assign_formats(Graph& graph, const PassSettings& settings) {
  const std::string format(format_name(settings.weights));
  if (settings.weights == WeightFormat::f32) {
    for (Node& node : graph.nodes) {
      if (lacks_format(node)) node.attributes["format"] = format;
    }
    return;
  }
  remove_dead_nodes(graph, settings);  // a dead reader is none
  quantize_inputs(graph, format);
  choose_activation_grade(graph);
}

}  // namespace nybble::graph
