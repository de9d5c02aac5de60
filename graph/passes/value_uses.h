// What the passes ask of a graph again and again, counted once: who makes each value and how often it is
// read. And names for the values that a pass adds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/ir.h"

namespace nybble::graph {

/// By ValueId, for the graph as it was when they were counted.
struct ValueUses {
  std::vector<std::ptrdiff_t> maker;  ///< index of the node that makes the value; -1: an input or a weight
  std::vector<std::size_t> reads;     ///< inputs of nodes, and outputs of the graph, that name the value
};

inline ValueUses count_uses(const Graph& graph) {
  ValueUses uses{std::vector<std::ptrdiff_t>(graph.values.size(), -1),
                 std::vector<std::size_t>(graph.values.size())};
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    uses.maker[static_cast<std::size_t>(graph.nodes[i].output)] = static_cast<std::ptrdiff_t>(i);
    for (const ValueId input : graph.nodes[i].inputs) ++uses.reads[static_cast<std::size_t>(input)];
  }
  for (const GraphOutput& output : graph.outputs) ++uses.reads[static_cast<std::size_t>(output.value)];
  return uses;
}

/// The node of op `op` that makes `value`, if the value is read once and thus by the caller's node alone;
/// else null. Such a node can be folded into the one that reads it, or the other way round.
inline Node* sole_maker(Graph& graph, const ValueUses& uses, ValueId value, Op op) {
  const std::ptrdiff_t made_by = uses.maker[static_cast<std::size_t>(value)];
  if (made_by < 0 || uses.reads[static_cast<std::size_t>(value)] != 1) return nullptr;
  Node& node = graph.nodes[static_cast<std::size_t>(made_by)];
  return node.op == op ? &node : nullptr;
}

/// Lets `into` make what `folded` made. `folded` is left making a value that nothing else reads: a dead node.
inline void take_over_result(ValueUses& uses, Node& into, Node& folded) {
  std::swap(into.output, folded.output);
  std::swap(uses.maker[static_cast<std::size_t>(into.output)],
            uses.maker[static_cast<std::size_t>(folded.output)]);
}

/// Puts nodes that make a row a token before those that make a row a sequence, of which no token's row is
/// ever made: so steps of one kind stand together.
inline void make_token_rows_first(Graph& graph) {
  std::stable_partition(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return graph.values[static_cast<std::size_t>(node.output)].shape[0] == Extent::tokens();
  });
}

/// Finds names that no value of the graph has.
class FreshNames {
 public:
  explicit FreshNames(const Graph& graph) {
    for (const Value& value : graph.values) taken_.insert(value.name);
  }

  /// `wish`, or, where that is taken, `wish` and a number.
  std::string take(const std::string& wish) {
    std::string name = wish;
    for (int i = 2; !taken_.insert(name).second; ++i) name = wish + "." + std::to_string(i);
    return name;
  }

 private:
  std::unordered_set<std::string> taken_;
};

}  // namespace nybble::graph
