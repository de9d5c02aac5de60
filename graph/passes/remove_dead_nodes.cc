// Removes nodes whose results nothing reads, then weights and values that nothing names. Inputs stay: they
// are the graph's signature.
#include <vector>

#include "graph/passes/passes.h"

namespace nybble::graph {
namespace {

/// Which values an output needs, directly or not.
std::vector<bool> needed_values(const Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  for (const GraphOutput& output : graph.outputs) needed[static_cast<std::size_t>(output.value)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!needed[static_cast<std::size_t>(node->output)]) continue;
    for (const ValueId input : node->inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].kind == ValueKind::input) needed[i] = true;
  }
  return needed;
}

}  // namespace

void remove_dead_nodes(Graph& graph, const PassSettings&) {
  const std::vector<bool> needed = needed_values(graph);
  std::erase_if(graph.nodes,
                [&](const Node& node) { return !needed[static_cast<std::size_t>(node.output)]; });

  std::vector<ValueId> moved(graph.values.size(), -1);
  std::vector<Value> kept;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!needed[i]) continue;
    moved[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(kept);
  for (Node& node : graph.nodes) {
    node.output = moved[static_cast<std::size_t>(node.output)];
    for (ValueId& input : node.inputs) input = moved[static_cast<std::size_t>(input)];
  }
  for (GraphOutput& output : graph.outputs) output.value = moved[static_cast<std::size_t>(output.value)];
}

}  // namespace nybble::graph
