// attention(linear(x,Wq) + bq, linear(x,Wk) + bk, linear(x,Wv) + bv)  ->  attention(linear(x,[Wq;Wk;Wv]) +
// [bq;bk;bv])
//
// One product reads (and quantizes) x once and is three times as wide.
#include <algorithm>
#include <array>
#include <optional>

#include "graph/passes/passes.h"

namespace nybble::graph {
namespace {

/// One of the three: add_bias(linear(x, weight), bias), with or without the bias, read by the attention
/// alone.
struct Projection {
  std::size_t last_node = 0;
  ValueId x = -1, weight = -1, bias = -1;
};

std::optional<Projection> projection_of(const Graph& graph, ValueId value) {
  if (readers(graph, value).size() != 1 || is_output(graph, value)) return std::nullopt;
  std::ptrdiff_t made_by = maker(graph, value);
  if (made_by < 0) return std::nullopt;
  Projection result;
  result.last_node = static_cast<std::size_t>(made_by);
  if (graph.nodes[result.last_node].op == Op::add_bias) {
    const Node& add = graph.nodes[result.last_node];
    result.bias = add.inputs[1];
    if (readers(graph, add.inputs[0]).size() != 1) return std::nullopt;
    made_by = maker(graph, add.inputs[0]);
    if (made_by < 0) return std::nullopt;
  }
  const Node& linear = graph.nodes[static_cast<std::size_t>(made_by)];
  if (linear.op != Op::linear || linear.inputs.size() != 2) return std::nullopt;
  result.x = linear.inputs[0];
  result.weight = linear.inputs[1];
  return result;
}

/// A weight that holds those of the three, end to end along extent 0.
ValueId merged_weight(Graph& graph, const std::string& name, const std::array<ValueId, 3>& parts) {
  Shape shape = graph.values[static_cast<std::size_t>(parts[0])].shape;
  shape[0].size = 0;
  std::vector<std::string> tensors;
  for (const ValueId part : parts) {
    const Value& value = graph.values[static_cast<std::size_t>(part)];
    shape[0].size += value.shape[0].size;
    tensors.insert(tensors.end(), value.tensors.begin(), value.tensors.end());
  }
  return add_weight(graph, name, std::move(shape), std::move(tensors));
}

void merge(Graph& graph, std::size_t attention_index, const std::array<Projection, 3>& three) {
  const auto [q, k, v] = three;
  const Node attention = graph.nodes[attention_index];
  const std::string name = graph.values[static_cast<std::size_t>(attention.output)].name + ".qkv";

  const auto keep = static_cast<std::ptrdiff_t>(std::max({q.last_node, k.last_node, v.last_node}));
  std::vector<Node> tail(graph.nodes.begin() + keep + 1, graph.nodes.end());
  graph.nodes.resize(static_cast<std::size_t>(keep) + 1);
  ValueId merged = add_node(graph, Op::linear, q.bias < 0 ? name : name + ".product",
                            {q.x, merged_weight(graph, name + ".weight", {q.weight, k.weight, v.weight})});
  if (q.bias >= 0) {
    merged = add_node(graph, Op::add_bias, name,
                      {merged, merged_weight(graph, name + ".bias", {q.bias, k.bias, v.bias})});
  }
  for (Node& node : tail) {
    if (node.output == attention.output) {
      node.inputs.erase(node.inputs.begin(), node.inputs.begin() + 3);
      node.inputs.insert(node.inputs.begin(), merged);
    }
    graph.nodes.push_back(std::move(node));
  }
}

bool merge_one(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != Op::attention || node.inputs.size() < 3) continue;
    const auto q = projection_of(graph, node.inputs[0]);
    const auto k = projection_of(graph, node.inputs[1]);
    const auto v = projection_of(graph, node.inputs[2]);
    if (!q || !k || !v || q->x != k->x || q->x != v->x) continue;
    if ((q->bias < 0) != (k->bias < 0) || (q->bias < 0) != (v->bias < 0)) continue;
    merge(graph, i, {*q, *k, *v});
    return true;
  }
  return false;
}

}  // namespace

void merge_qkv(Graph& graph, const PassSettings& settings) {
  while (merge_one(graph)) {
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
