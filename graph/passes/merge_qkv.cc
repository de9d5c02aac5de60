// attention(linear(x,Wq) + bq, linear(x,Wk) + bk, linear(x,Wv) + bv)  ->  attention(linear(x,[Wq;Wk;Wv]) +
// [bq;bk;bv])
//
// One product reads (and quantizes) x once and is three times as wide. Where only first rows are queries, K
// and V are merged and Q stays by itself.
#include <optional>
#include <span>
#include <vector>

#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"
#include "graph/verify.h"

namespace nybble::graph {
namespace {

/// One of those: add_bias(linear(x, weight), bias), with or without the bias, read by the attention
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

/// The inputs of an attention that would be read in one row: Q, K and V, or K and V where Q has other rows.
std::span<const ValueId> inputs_to_merge(const Node& node) {
  if (node.inputs.size() != 3 + position_inputs(node)) return {};
  const bool first = has(node, "queries") && text(node, "queries") == "first";
  return std::span(node.inputs).subspan(first ? 1 : 0, first ? 2 : 3);
}

/// The projections that `node` reads, if it is an attention and they can be merged; else none.
std::vector<Projection> mergeable(Graph& graph, const ValueUses& uses, const Node& node) {
  if (node.op != Op::attention) return {};
  std::vector<Projection> parts;
  for (const ValueId input : inputs_to_merge(node)) {
    const auto projection = projection_of(graph, uses, input);
    if (!projection) return {};
    parts.push_back(*projection);
    if (parts.back().x != parts[0].x || (parts.back().bias < 0) != (parts[0].bias < 0)) return {};
  }
  if (parts.empty()) return {};
  const Shape& shape = graph.values[static_cast<std::size_t>(parts[0].weight)].shape;
  if (shape[0].size > kMaxExtent / static_cast<std::int64_t>(parts.size())) return {};
  return parts;
}

/// A weight that holds `part` of each, end to end along extent 0.
ValueId merged_weight(Graph& graph, std::string name, const std::vector<Projection>& parts,
                      ValueId Projection::*part) {
  Shape shape = graph.values[static_cast<std::size_t>(parts[0].*part)].shape;
  shape[0].size = 0;
  std::vector<std::string> tensors;
  for (const Projection& projection : parts) {
    const Value& value = graph.values[static_cast<std::size_t>(projection.*part)];
    shape[0].size += value.shape[0].size;
    tensors.insert(tensors.end(), value.tensors.begin(), value.tensors.end());
  }
  return add_weight(graph, std::move(name), std::move(shape), std::move(tensors));
}

/// Appends the merged product (and bias) and returns its result.
ValueId add_merged(Graph& graph, FreshNames& names, const std::string& name,
                   const std::vector<Projection>& parts) {
  const ValueId weight = merged_weight(graph, names.take(name + ".weight"), parts, &Projection::weight);
  const ValueId x = parts[0].x;
  if (parts[0].bias < 0) return add_node(graph, Op::linear, names.take(name), {x, weight});
  const ValueId bias = merged_weight(graph, names.take(name + ".bias"), parts, &Projection::bias);
  const ValueId product = add_node(graph, Op::linear, names.take(name + ".product"), {x, weight});
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
  bool has_first_queries = false;
  for (Node node : old.nodes) {
    const std::vector<Projection> parts = mergeable(old, uses, node);
    if (!parts.empty()) {
      const std::string name = graph.values[static_cast<std::size_t>(node.output)].name;
      const auto first = node.inputs.begin() + (parts.size() == 2 ? 1 : 0);
      const ValueId merged = add_merged(graph, names, name + (parts.size() == 2 ? ".kv" : ".qkv"), parts);
      *first = merged;
      node.inputs.erase(first + 1, first + static_cast<std::ptrdiff_t>(parts.size()));
      has_first_queries |= parts.size() == 2;
    }
    graph.nodes.push_back(std::move(node));
  }
  if (has_first_queries) make_token_rows_first(graph);
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
