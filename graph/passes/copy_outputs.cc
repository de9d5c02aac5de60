// output = linear(…)  ->  output = copy(linear(…))
//
// A product writes whole panels of columns; the caller's rows have no room for more than their own.
#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {

void copy_outputs(Graph& graph, const PassSettings&) {
  FreshNames names(graph);
  const auto writes_panels = [](const Node& node) {
    return node.op == Op::linear && !(has(node, "format") && text(node, "format") == "exact_f32");
  };
  std::vector<Node> copies;
  for (Node& node : graph.nodes) {
    if (!writes_panels(node) || !is_output(graph, node.output)) continue;
    const ValueId output = node.output;
    Value inner = graph.values[static_cast<std::size_t>(output)];
    inner.name = names.take(inner.name + ".rows");
    const auto made = static_cast<ValueId>(graph.values.size());
    graph.values.push_back(std::move(inner));
    for (Node& reader : graph.nodes) {
      for (ValueId& input : reader.inputs) {
        if (input == output) input = made;
      }
    }
    node.output = made;
    copies.push_back({Op::copy, {made}, output, {}});
  }
  graph.nodes.insert(graph.nodes.end(), copies.begin(), copies.end());
}

}  // namespace nybble::graph
