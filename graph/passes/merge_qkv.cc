// attention(linear(x,Wq) + bq, linear(x,Wk) + bk, linear(x,Wv) + bv)  ->  attention(linear(x,[Wq;Wk;Wv]) +
// [bq;bk;bv])
//
// One product reads (and quantizes) x once and is three times as wide.
#include <array>
#include <optional>

#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"
#include "graph/verify.h"

namespace nybble::graph {
namespace {

/// One of the three: add_bias(linear(x, weight), bias), with or without the bias, read by the attention
/// alone.
struct Projection {
  ValueId x = -1, weight = -1, bias = -1;
};

std::optional<Projection> projection_of(Graph& graph, const ValueUses& uses, ValueId value) {
  Projection result;
  if (const Node* add = sole_maker(graph, uses, value, Op::add_bias)) {
    value = add->inputs[0];
    result.bias = add->inputs[1];
  }
  const Node* linear = sole_maker(graph, uses, value, Op::linear);
  // Attributes (a fused activation, a format) would have to be those of all three.
  if (!linear || linear->inputs.size() != 2 || !linear->attributes.empty()) return std::nullopt;
  result.x = linear->inputs[0];
  result.weight = linear->inputs[1];
  return result;
}

/// The three projections that `node` reads, if it is an attention whose three can be merged.
std::optional<std::array<Projection, 3>> mergeable(Graph& graph, const ValueUses& uses, const Node& node) {
  if (node.op != Op::attention || node.inputs.size() < 3) return std::nullopt;
  std::array<Projection, 3> three;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto projection = projection_of(graph, uses, node.inputs[i]);
    if (!projection) return std::nullopt;
    three[i] = *projection;
    if (three[i].x != three[0].x || (three[i].bias < 0) != (three[0].bias < 0)) return std::nullopt;
  }
  const Shape& shape = graph.values[static_cast<std::size_t>(three[0].weight)].shape;
  if (shape[0].size > kMaxExtent / 3) return std::nullopt;
  return three;
}

/// A weight that holds those of the three, end to end along extent 0.
ValueId merged_weight(Graph& graph, std::string name, const std::array<ValueId, 3>& parts) {
  Shape shape = graph.values[static_cast<std::size_t>(parts[0])].shape;
  shape[0].size = 0;
  std::vector<std::string> tensors;
  for (const ValueId part : parts) {
    const Value& value = graph.values[static_cast<std::size_t>(part)];
    shape[0].size += value.shape[0].size;
    tensors.insert(tensors.end(), value.tensors.begin(), value.tensors.end());
  }
  return add_weight(graph, std::move(name), std::move(shape), std::move(tensors));
}

/// Appends the merged product (and bias) and returns its result.
ValueId add_merged(Graph& graph, FreshNames& names, const std::string& name,
                   const std::array<Projection, 3>& three) {
  const auto& [q, k, v] = three;
  const ValueId weight = merged_weight(graph, names.take(name + ".weight"), {q.weight, k.weight, v.weight});
  if (q.bias < 0) return add_node(graph, Op::linear, names.take(name), {q.x, weight});
  const ValueId bias = merged_weight(graph, names.take(name + ".bias"), {q.bias, k.bias, v.bias});
  const ValueId product = add_node(graph, Op::linear, names.take(name + ".product"), {q.x, weight});
  return add_node(graph, Op::add_bias, names.take(name), {product, bias});
}

}  // namespace

void merge_qkv(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  const ValueUses uses = count_uses(graph);
  FreshNames names(graph);
  // The old nodes stay in `old` while the new list grows: `uses` counts by their indices.
  Graph old = graph;
  graph.nodes.clear();
  for (Node node : old.nodes) {
    if (const auto three = mergeable(old, uses, node)) {
      const std::string name = graph.values[static_cast<std::size_t>(node.output)].name + ".qkv";
      node.inputs.erase(node.inputs.begin(), node.inputs.begin() + 3);
      node.inputs.insert(node.inputs.begin(), add_merged(graph, names, name, *three));
    }
    graph.nodes.push_back(std::move(node));
  }
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
