// pool(f(attention(q, k, v)), "cls")  ->  f(attention(pool(q, "cls"), k, v) {queries = "first"})
//
// A head that takes the first row of each sequence reads none of the others, so what the last layer does
// after its K and V needs one row a sequence: of the 12 squares of hidden values that its products take a
// token, 10 go. Rows do not depend on each other, so those that are left keep their bits.
#include <algorithm>
#include <unordered_map>

#include "graph/passes/passes.h"
#include "graph/passes/value_uses.h"

namespace nybble::graph {
namespace {

bool over_tokens(const Value& value) { return value.shape[0] == Extent::tokens(); }

/// A pool that leaves a prompt out takes another row than the first.
bool takes_first_rows(const Node& node) {
  return node.op == Op::pool && text(node, "mode") == "cls" && !has(node, "skip_prompt");
}

/// Of an attention the queries follow its result (merged ones stand in the rows of the keys); of a node that
/// treats each row by itself everything does.
bool follows_result(const Node& node, std::size_t input) {
  return node.op != Op::attention || (input == 0 && node.inputs.size() >= 3 + position_inputs(node));
}

class Pruner {
 public:
  explicit Pruner(Graph& graph) : graph_(graph), uses_(count_uses(graph)), names_(graph) {
    reads_.resize(graph.values.size());
    pruned_.resize(graph.values.size());
  }

  /// Whether there was anything to prune.
  bool run() {
    find_reads();
    if (std::find(pruned_.begin(), pruned_.end(), true) == pruned_.end()) return false;
    std::vector<Node> old;
    old.swap(graph_.nodes);
    for (Node& node : old) {
      if (takes_first_rows(node) && pruned(node.inputs[0])) {
        replace(node.output, node.inputs[0]);
      } else {
        if (pruned(node.output)) narrow(node);
        graph_.nodes.push_back(std::move(node));
      }
    }
    rename_reads();
    return true;
  }

 private:
  /// What is read of a value's rows, directly or through the nodes between.
  struct Reads {
    bool all = false, first = false;
  };

  Value& value(ValueId id) { return graph_.values[static_cast<std::size_t>(id)]; }
  Reads& reads(ValueId id) { return reads_[static_cast<std::size_t>(id)]; }
  bool pruned(ValueId id) const { return pruned_[static_cast<std::size_t>(id)]; }

  /// Whether first rows can be made of first rows: not from ids or positions, nor where other rows are
  /// read, nor from codes, which no pool takes (so this pass comes before formats).
  bool can_narrow(const Node& node) {
    const auto is_f32 = [this](ValueId id) { return value(id).type == ElementType::f32; };
    return node.op != Op::pool && node.op != Op::rotary && node.op != Op::unfold &&
           over_tokens(value(node.output)) && std::all_of(node.inputs.begin(), node.inputs.end(), is_f32);
  }

  void find_reads() {
    for (const GraphOutput& output : graph_.outputs) reads(output.value).all = true;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      const Reads result = reads(node->output);
      pruned_[static_cast<std::size_t>(node->output)] = result.first && !result.all && can_narrow(*node);
      for (std::size_t i = 0; i < node->inputs.size(); ++i) read(*node, i);
    }
  }

  void read(const Node& node, std::size_t input) {
    Reads& found = reads(node.inputs[input]);
    if (pruned(node.output) && follows_result(node, input)) {
      found.first = true;
    } else if (takes_first_rows(node) && can_be_replaced(node)) {
      found.first = true;
    } else {
      found.all = true;
    }
  }

  /// Whether the rows under a pool can stand for its result. An output is made by one node, and lowering lets
  /// no linear write it, nor what may be fused with one.
  bool can_be_replaced(const Node& pool) {
    if (!is_output(graph_, pool.output)) return true;
    const std::ptrdiff_t made_by = uses_.maker[static_cast<std::size_t>(pool.inputs[0])];
    if (made_by < 0 || reads(pool.inputs[0]).first) return false;
    const Op op = graph_.nodes[static_cast<std::size_t>(made_by)].op;
    return op == Op::layernorm || op == Op::l2_normalize;
  }

  void narrow(Node& node) {
    value(node.output).shape[0] = Extent::sequences();
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      const bool is_rows = value(input).kind != ValueKind::weight;
      if (is_rows && follows_result(node, i) && !pruned(input)) node.inputs[i] = first_rows_of(input);
    }
    if (node.op == Op::attention) node.attributes["queries"] = std::string("first");
  }

  ValueId first_rows_of(ValueId rows) {
    const auto [made, is_new] = first_rows_.emplace(rows, -1);
    if (is_new) {
      const std::string name = names_.take(value(rows).name + ".first");
      made->second = add_node(graph_, Op::pool, name, {rows}, {{"mode", std::string("cls")}});
    }
    return made->second;
  }

  void replace(ValueId pooled, ValueId rows) {
    replaced_[pooled] = rows;
    if (is_output(graph_, pooled)) std::swap(value(pooled).name, value(rows).name);
  }

  void rename_reads() {
    const auto rename = [this](ValueId& id) {
      if (const auto found = replaced_.find(id); found != replaced_.end()) id = found->second;
    };
    for (Node& node : graph_.nodes) std::for_each(node.inputs.begin(), node.inputs.end(), rename);
    for (GraphOutput& output : graph_.outputs) rename(output.value);
  }

  Graph& graph_;
  const ValueUses uses_;
  FreshNames names_;
  std::vector<Reads> reads_;                         ///< by ValueId, of the graph as it was
  std::vector<bool> pruned_;                         ///< likewise: whose first rows alone are made
  std::unordered_map<ValueId, ValueId> first_rows_;  ///< of values that keep all rows
  std::unordered_map<ValueId, ValueId> replaced_;    ///< results of pools by the rows that they took
};

}  // namespace

void prune_unread_rows(Graph& graph, const PassSettings& settings) {
  remove_dead_nodes(graph, settings);  // a dead reader is none
  if (!Pruner(graph).run()) return;
  make_token_rows_first(graph);
  remove_dead_nodes(graph, settings);
}

}  // namespace nybble::graph
