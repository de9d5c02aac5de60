#include "graph/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <unordered_set>

#include "graph/text.h"
#include "nybble/error.h"
#include "quant/integer_format.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 4> kActivations = {"gelu_erf", "gelu_erf_q", "gelu_tanh", "relu"};
constexpr std::array<std::string_view, 2> kAttentionFormats = {"f32", "int8"};
constexpr std::array<std::string_view, 2> kPositionKinds = {"none", "bias"};
constexpr std::array<std::string_view, 2> kQueries = {"all", "first"};
constexpr std::array<std::string_view, 2> kPoolModes = {"mean", "cls"};

constexpr auto kWeightFormats = [] {
  std::array<std::string_view, 1 + quant::kIntegerFormats.size()> names{"f32"};
  for (std::size_t i = 1; i < names.size(); ++i) names[i] = quant::kIntegerFormats[i - 1].name;
  return names;
}();

[[noreturn]] void fail(const std::string& sentence) {
  throw Error(ErrorCode::bad_input, ("graph: " + sentence).substr(0, kMostTold));
}

/// At most 40 bytes of a text, on one line.
std::string shown(std::string_view text) {
  std::string result(text.substr(0, 40));
  std::replace(result.begin(), result.end(), '\n', ' ');
  return result;
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
    if (reads_as(value.type, type) && value.shape == shape) return;
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
         ") must be " + print_type(type, shape) + ", found " + print_type(value.type, value.shape));
  }

  /// Rows of H values, of any of the given types.
  std::int64_t rows(std::size_t i, std::initializer_list<ElementType> types) const {
    const Value& value = input(i);
    const bool type_fits =
        std::any_of(types.begin(), types.end(), [&](ElementType type) { return reads_as(value.type, type); });
    if (type_fits && value.shape.size() == 2 && value.shape[0].kind != Extent::Kind::fixed &&
        value.shape[1].kind == Extent::Kind::fixed && value.shape[1].size > 0) {
      return value.shape[1].size;
    }
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
         ") must be rows of values (" + list(types) + "), found " + print_type(value.type, value.shape));
  }

  /// A weight of n values.
  void vector(std::size_t i, std::int64_t n) const {
    expect(i, ElementType::f32, {Extent::of(n)});
    weight(i);
  }

  /// A weight of two extents, the second of them `columns` unless that is 0; returns the second.
  std::int64_t table(std::size_t i, std::int64_t columns) const {
    const Value& value = input(i);
    const bool fits = value.type == ElementType::f32 && value.shape.size() == 2 &&
                      value.shape[0].kind == Extent::Kind::fixed && value.shape[0].size > 0 &&
                      value.shape[1].kind == Extent::Kind::fixed && value.shape[1].size > 0 &&
                      (columns == 0 || value.shape[1].size == columns);
    if (!fits) {
      fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
           ") must be a table f32[n," + (columns ? std::to_string(columns) : "m") + "], found " +
           print_type(value.type, value.shape));
    }
    weight(i);
    return value.shape[1].size;
  }

  void one_of(std::string_view attribute, std::span<const std::string_view> allowed) const {
    const std::string& found = text(node_, attribute);
    if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return;
    std::string list;
    for (const std::string_view name : allowed) list += (list.empty() ? "" : ", ") + std::string(name);
    fail("attribute '" + std::string(attribute) + "' of " + std::string(op_name(node_.op)) +
         " must be one of " + list + ", found " + shown(found));
  }

 private:
  void weight(std::size_t i) const {
    if (input(i).kind == ValueKind::weight) return;
    fail("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + input(i).name +
         ") must be a weight");
  }

  static std::string list(std::initializer_list<ElementType> types) {
    std::string result;
    for (const ElementType type : types)
      result += (result.empty() ? "" : " or ") + std::string(type_name(type));
    return result;
  }

  const Graph& graph_;
  const Node& node_;
};

ResultType infer_embed_sum(const Checker& check) {
  check.count({6});
  for (std::size_t i = 0; i < 3; ++i) check.expect(i, ElementType::i32, {Extent::tokens()});
  const std::int64_t hidden = check.table(3, 0);
  check.table(4, hidden);
  check.table(5, hidden);
  return {ElementType::f32, {Extent::tokens(), Extent::of(hidden)}};
}

ResultType infer_layernorm(const Node& node, const Checker& check) {
  check.count({3, 4});
  const std::int64_t hidden = check.rows(0, {ElementType::f32});
  const bool has_residual = node.inputs.size() == 4;
  if (has_residual) check.expect(1, ElementType::f32, check.input(0).shape);
  check.vector(has_residual ? 2 : 1, hidden);
  check.vector(has_residual ? 3 : 2, hidden);
  if (number(node, "epsilon") < 0) fail("attribute 'epsilon' of layernorm must not be negative");
  if (!has(node, "result")) return {ElementType::f32, check.input(0).shape};
  check.one_of("result", {&kRowsAndCodes, 1});
  return {ElementType::f32_u8_rows, check.input(0).shape};
}

ResultType infer_linear(const Node& node, const Checker& check) {
  check.count({2, 3});
  const std::int64_t depth = check.rows(0, {ElementType::f32, ElementType::u8_rows});
  check.table(1, depth);
  const std::int64_t width = check.input(1).shape[0].size;
  if (node.inputs.size() == 3) check.vector(2, width);
  if (has(node, "activation")) check.one_of("activation", kActivations);
  if (has(node, "format")) check.one_of("format", kWeightFormats);
  const bool has_integers = is_integer(node);
  if (!reads_as(check.input(0).type, has_integers ? ElementType::u8_rows : ElementType::f32)) {
    fail("linear must have a format of integers if and only if its rows are quantized, found input 0 (%" +
         check.input(0).name + ") " + print_type(check.input(0).type, check.input(0).shape));
  }
  const bool makes_codes = has(node, "result");
  if (makes_codes) check.one_of("result", {&kCodes, 1});
  if (makes_codes && !(has_integers && has(node, "activation"))) {
    fail("linear must have a format of integers and an activation where its result is u8_rows");
  }
  return {makes_codes ? ElementType::u8_rows : ElementType::f32,
          {check.input(0).shape[0], Extent::of(width)}};
}

/// The values of all heads in a row of an attention's input 0, which has `parts` of Q, K and V.
std::int64_t heads_in_row(const Node& node, const Checker& check, std::int64_t parts) {
  const std::int64_t heads = integer(node, "heads"), head_dim = integer(node, "head_dim");
  const std::int64_t found = check.rows(0, {ElementType::f32});
  const std::int64_t hidden = found / parts;
  if (heads > 0 && head_dim > 0 && found % parts == 0 && hidden % heads == 0 && hidden / heads == head_dim)
    return hidden;
  fail("attention of " + std::to_string(heads) + " heads of " + std::to_string(head_dim) +
       " values does not fit rows of " + std::to_string(found));
}

ResultType infer_attention(const Node& node, const Checker& check) {
  check.one_of("position", kPositionKinds);
  if (has(node, "queries")) check.one_of("queries", kQueries);
  const Extent queries =
      has(node, "queries") && text(node, "queries") == "first" ? Extent::sequences() : Extent::tokens();
  const std::size_t extra = text(node, "position") == "bias" ? 1 : 0;
  check.count({1 + extra, 2 + extra, 3 + extra});
  const std::size_t inputs = node.inputs.size() - extra;
  const std::int64_t hidden = heads_in_row(node, check, inputs == 1 ? 3 : 1);
  const Extent rows = inputs == 1 ? Extent::tokens() : queries;
  if (check.input(0).shape[0] != rows) {
    fail(rows == Extent::tokens() ? "attention takes one row a token"
                                  : "attention of first queries takes one row of them a sequence");
  }
  for (std::size_t i = 1; i < inputs; ++i) {
    check.expect(i, ElementType::f32, {Extent::tokens(), Extent::of(inputs == 2 ? 2 * hidden : hidden)});
  }
  if (extra) check.table(inputs, integer(node, "heads"));
  number(node, "scale");
  if (has(node, "format")) check.one_of("format", kAttentionFormats);
  if (integer(node, "window") < 0) fail("attribute 'window' of attention must be 0 (all tokens) or positive");
  return {ElementType::f32, {queries, Extent::of(hidden)}};
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

void verify_name(const std::string& what, std::string_view name) {
  if (!is_name(name))
    fail(what + " must be of letters, digits, '_', '.' and '-', found '" + std::string(name) + "'");
}

void verify_extents(const Value& value) {
  for (const Extent& extent : value.shape) {
    const bool fixed = extent.kind == Extent::Kind::fixed;
    if (fixed ? extent.size < 1 || extent.size > kMaxExtent : extent.size != 0) {
      fail("an extent of %" + value.name + " must lie from 1 to " + std::to_string(kMaxExtent) +
           " or be a symbol, found " + std::to_string(extent.size));
    }
    if (!fixed && value.kind == ValueKind::weight)
      fail("%" + value.name + " is a weight, so its extents must be fixed");
  }
}

void verify_value(const Graph& graph, std::size_t i, std::unordered_set<std::string_view>& names) {
  const Value& value = graph.values[i];
  verify_name("the name of value " + std::to_string(i), value.name);
  if (!names.insert(value.name).second) fail("there are two values %" + value.name);
  verify_extents(value);
  if ((value.kind == ValueKind::weight) == value.tensors.empty()) {
    fail("%" + value.name +
         (value.tensors.empty() ? " is a weight without a tensor" : " is no weight but names tensors"));
  }
  if (value.kind == ValueKind::weight && value.type != ElementType::f32) {
    fail("%" + value.name + " is a weight, so it must be f32, found " + print_type(value.type, value.shape));
  }
}

void verify_attributes(const Node& node) {
  for (const auto& [name, value] : node.attributes) {
    verify_name("the name of an attribute of " + std::string(op_name(node.op)), name);
    const double* found = std::get_if<double>(&value);
    if (found && !std::isfinite(*found)) {
      fail("attribute '" + name + "' of " + std::string(op_name(node.op)) + " must be finite");
    }
  }
}

void verify_inputs(const Graph& graph, const Node& node, const std::vector<bool>& made) {
  for (const ValueId id : node.inputs) {
    if (made[static_cast<std::size_t>(id)]) continue;
    fail("%" + graph.values[static_cast<std::size_t>(id)].name + " is read by " +
         std::string(op_name(node.op)) + " before it is made");
  }
}

void verify_node(const Graph& graph, const Node& node, std::vector<bool>& made) {
  verify_attributes(node);
  const ResultType expected = infer_result(graph, node);
  verify_inputs(graph, node, made);
  if (node.output < 0 || static_cast<std::size_t>(node.output) >= graph.values.size()) {
    fail(std::string(op_name(node.op)) + " makes no value");
  }
  const Value& result = graph.values[static_cast<std::size_t>(node.output)];
  if (result.kind != ValueKind::result) {
    fail(std::string(op_name(node.op)) + " makes %" + result.name + ", which is an input or a weight");
  }
  if (made[static_cast<std::size_t>(node.output)]) fail("%" + result.name + " is made twice");
  if (result.type != expected.type || result.shape != expected.shape) {
    fail("%" + result.name + " must be " + print_type(expected.type, expected.shape) + ", found " +
         print_type(result.type, result.shape));
  }
  made[static_cast<std::size_t>(node.output)] = true;
}

void verify_outputs(const Graph& graph) {
  if (graph.outputs.empty()) fail("it has no output");
  std::unordered_set<std::string_view> names;
  for (const GraphOutput& output : graph.outputs) {
    verify_name("the name of an output", output.name);
    if (!names.insert(output.name).second) fail("there are two outputs '" + output.name + "'");
    if (output.value < 0 || static_cast<std::size_t>(output.value) >= graph.values.size()) {
      fail("output '" + output.name + "' is no value of the graph");
    }
  }
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
      check.vector(1, check.rows(0, {ElementType::f32}));
      return same_as_first(check);
    case Op::add:
      check.count({2});
      check.rows(0, {ElementType::f32});
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

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

void verify(const Graph& graph) {
  if (!graph.name.empty()) verify_name("the graph's name", graph.name);
  std::unordered_set<std::string_view> names;
  std::vector<bool> made(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    verify_value(graph, i, names);
    made[i] = graph.values[i].kind != ValueKind::result;
  }
  for (const Node& node : graph.nodes) verify_node(graph, node, made);
  const auto unmade = std::find(made.begin(), made.end(), false);
  if (unmade != made.end()) {
    fail("%" + graph.values[static_cast<std::size_t>(unmade - made.begin())].name + " is never made");
  }
  verify_outputs(graph);
}

}  // namespace nybble::graph
