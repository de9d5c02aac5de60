#include "graph/verify.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "graph/text.h"
#include "nybble/error.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 4> kActivations = {"gelu_erf", "gelu_erf_q", "gelu_tanh", "relu"};
constexpr std::array<std::string_view, 2> kFormats = {"f32", "int8"};
constexpr std::array<std::string_view, 2> kPositionKinds = {"none", "bias"};
constexpr std::array<std::string_view, 2> kPoolModes = {"mean", "cls"};

[[noreturn]] void fail(const std::string& sentence) {
  throw Error(ErrorCode::bad_input, "graph: " + sentence);
}

/// Reads the inputs of one node and says what is wrong with them.
class Checker {
 public:
  Checker(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  void count(std::initializer_list<std::size_t> allowed) const {
    if (std::find(allowed.begin(), allowed.end(), node_.inputs.size()) != allowed.end()) return;
    std::string counts;
    for (const std::size_t n : allowed) counts += (counts.empty() ? "" : " or ") + std::to_string(n);
    fail(std::string(op_name(node_.op)) + " takes " + counts + " inputs, found " +
         std::to_string(node_.inputs.size()));
  }

  const Value& input(std::size_t i) const {
    const ValueId id = node_.inputs[i];
    if (id < 0 || static_cast<std::size_t>(id) >= graph_.values.size()) {
      fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) +
           " is no value of the graph");
    }
    return graph_.values[static_cast<std::size_t>(id)];
  }

  void expect(std::size_t i, ElementType type, const Shape& shape) const {
    const Value& value = input(i);
    if (value.type == type && value.shape == shape) return;
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
         ") must be " + print_type(type, shape) + ", found " + print_type(value.type, value.shape));
  }

  /// Rows of H values, of any of the given types.
  std::int64_t rows(std::size_t i, std::initializer_list<ElementType> types) const {
    const Value& value = input(i);
    const bool type_fits = std::find(types.begin(), types.end(), value.type) != types.end();
    if (type_fits && value.shape.size() == 2 && value.shape[0].kind != Extent::Kind::fixed &&
        value.shape[1].kind == Extent::Kind::fixed && value.shape[1].size > 0) {
      return value.shape[1].size;
    }
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
         ") must be rows of values, found " + print_type(value.type, value.shape));
  }

  std::int64_t columns_of_table(std::size_t i, std::int64_t columns) const {
    const Value& value = input(i);
    if (value.type == ElementType::f32 && value.shape.size() == 2 &&
        value.shape[0].kind == Extent::Kind::fixed && value.shape[0].size > 0 &&
        value.shape[1].kind == Extent::Kind::fixed && value.shape[1].size > 0 &&
        (columns == 0 || value.shape[1].size == columns)) {
      return value.shape[1].size;
    }
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
         ") must be a table f32[n," + (columns ? std::to_string(columns) : "m") + "], found " +
         print_type(value.type, value.shape));
  }

  void one_of(std::string_view attribute, std::span<const std::string_view> allowed) const {
    const std::string& found = text(node_, attribute);
    if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return;
    std::string list;
    for (const std::string_view name : allowed) list += (list.empty() ? "" : ", ") + std::string(name);
    fail("attribute '" + std::string(attribute) + "' of " + std::string(op_name(node_.op)) +
         " must be one of " + list + ", found " + found);
  }

 private:
  const Graph& graph_;
  const Node& node_;
};

Shape vector_of(std::int64_t n) { return {Extent::of(n)}; }

ResultType infer_embed_sum(const Checker& check) {
  check.count({6});
  for (std::size_t i = 0; i < 3; ++i) check.expect(i, ElementType::i32, {Extent::tokens()});
  const std::int64_t hidden = check.columns_of_table(3, 0);
  check.columns_of_table(4, hidden);
  check.columns_of_table(5, hidden);
  return {ElementType::f32, {Extent::tokens(), Extent::of(hidden)}};
}

ResultType infer_layernorm(const Node& node, const Checker& check) {
  check.count({3, 4});
  const std::int64_t hidden = check.rows(0, {ElementType::f32});
  const bool has_residual = node.inputs.size() == 4;
  if (has_residual) check.expect(1, ElementType::f32, check.input(0).shape);
  check.expect(has_residual ? 2 : 1, ElementType::f32, vector_of(hidden));
  check.expect(has_residual ? 3 : 2, ElementType::f32, vector_of(hidden));
  number(node, "epsilon");
  return {ElementType::f32, check.input(0).shape};
}

ResultType infer_linear(const Node& node, const Checker& check) {
  check.count({2, 3});
  const std::int64_t depth = check.rows(0, {ElementType::f32, ElementType::u8_rows});
  check.columns_of_table(1, depth);
  const std::int64_t width = check.input(1).shape[0].size;
  if (node.inputs.size() == 3) check.expect(2, ElementType::f32, vector_of(width));
  if (has(node, "activation")) check.one_of("activation", kActivations);
  const bool is_int8 = check.input(0).type == ElementType::u8_rows;
  if (has(node, "format")) check.one_of("format", kFormats);
  if (is_int8 && (!has(node, "format") || text(node, "format") != "int8")) {
    fail("linear of quantized rows must have format = \"int8\"");
  }
  return {ElementType::f32, {check.input(0).shape[0], Extent::of(width)}};
}

ResultType infer_attention(const Node& node, const Checker& check) {
  check.one_of("position", kPositionKinds);
  const std::size_t extra = text(node, "position") == "bias" ? 1 : 0;
  check.count({1 + extra, 3 + extra});
  const bool merged = node.inputs.size() == 1 + extra;
  const std::int64_t found = check.rows(0, {ElementType::f32});
  const std::int64_t heads = integer(node, "heads");
  const std::int64_t head_dim = integer(node, "head_dim");
  const std::int64_t hidden = merged ? found / 3 : found;
  if (heads < 1 || head_dim < 1 || heads * head_dim != hidden || (merged && found % 3 != 0)) {
    fail("attention of " + std::to_string(heads) + " heads of " + std::to_string(head_dim) +
         " values does not fit rows of " + std::to_string(found));
  }
  if (!merged) {
    check.expect(1, ElementType::f32, check.input(0).shape);
    check.expect(2, ElementType::f32, check.input(0).shape);
  }
  if (extra) check.columns_of_table(node.inputs.size() - 1, heads);
  number(node, "scale");
  if (integer(node, "window") < 0) fail("attribute 'window' of attention must be 0 (all tokens) or positive");
  return {ElementType::f32, {check.input(0).shape[0], Extent::of(hidden)}};
}

ResultType infer_pool(const Checker& check) {
  check.count({1});
  const std::int64_t hidden = check.rows(0, {ElementType::f32});
  if (check.input(0).shape[0] != Extent::tokens()) fail("pool takes one row a token");
  check.one_of("mode", kPoolModes);
  return {ElementType::f32, {Extent::sequences(), Extent::of(hidden)}};
}

ResultType same_as_first(const Checker& check, ElementType type = ElementType::f32) {
  check.rows(0, {ElementType::f32});
  return {type, check.input(0).shape};
}

void verify_value(const Graph& graph, std::size_t i, std::set<std::string>& names) {
  const Value& value = graph.values[i];
  if (value.name.empty()) fail("value " + std::to_string(i) + " has no name");
  if (!names.insert(value.name).second) fail("there are two values %" + value.name);
  if ((value.kind == ValueKind::weight) == value.tensors.empty()) {
    fail("%" + value.name +
         (value.tensors.empty() ? " is a weight without a tensor" : " is no weight but names tensors"));
  }
}

void verify_node(const Graph& graph, const Node& node, std::vector<bool>& made) {
  const ResultType expected = infer_result(graph, node);
  for (const ValueId id : node.inputs) {
    if (!made[static_cast<std::size_t>(id)]) {
      fail("%" + graph.values[static_cast<std::size_t>(id)].name + " is read by " +
           std::string(op_name(node.op)) + " before it is made");
    }
  }
  if (node.output < 0 || static_cast<std::size_t>(node.output) >= graph.values.size()) {
    fail(std::string(op_name(node.op)) + " makes no value");
  }
  const Value& result = graph.values[static_cast<std::size_t>(node.output)];
  if (made[static_cast<std::size_t>(node.output)]) fail("%" + result.name + " is made twice");
  if (result.type != expected.type || result.shape != expected.shape) {
    fail("%" + result.name + " must be " + print_type(expected.type, expected.shape) + ", found " +
         print_type(result.type, result.shape));
  }
  made[static_cast<std::size_t>(node.output)] = true;
}

}  // namespace

ResultType infer_result(const Graph& graph, const Node& node) {
  const Checker check(graph, node);
  switch (node.op) {
    case Op::embed_sum:
      return infer_embed_sum(check);
    case Op::layernorm:
      return infer_layernorm(node, check);
    case Op::linear:
      return infer_linear(node, check);
    case Op::attention:
      return infer_attention(node, check);
    case Op::pool:
      return infer_pool(check);
    case Op::add_bias:
      check.count({2});
      check.expect(1, ElementType::f32, vector_of(check.rows(0, {ElementType::f32})));
      return same_as_first(check);
    case Op::add:
      check.count({2});
      check.expect(1, ElementType::f32, check.input(0).shape);
      return same_as_first(check);
    case Op::activation:
      check.count({1});
      check.one_of("kind", kActivations);
      return same_as_first(check);
    case Op::quantize_rows:
      check.count({1});
      return same_as_first(check, ElementType::u8_rows);
    case Op::l2_normalize:
      check.count({1});
      return same_as_first(check);
  }
  fail("a node has an unknown op");
}

void verify(const Graph& graph) {
  std::set<std::string> names;
  std::vector<bool> made(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    verify_value(graph, i, names);
    made[i] = graph.values[i].kind != ValueKind::result;
  }
  for (const Node& node : graph.nodes) verify_node(graph, node, made);
  if (graph.outputs.empty()) fail("it has no output");
  for (const GraphOutput& output : graph.outputs) {
    if (output.value < 0 || static_cast<std::size_t>(output.value) >= graph.values.size() ||
        !made[static_cast<std::size_t>(output.value)]) {
      fail("output '" + output.name + "' is never made");
    }
  }
}

}  // namespace nybble::graph
