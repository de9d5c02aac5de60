// What each op takes and makes.
#include <algorithm>
#include <array>
#include <span>

#include "graph/relative_rows.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "quant/integer_format.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 7> kActivations = {"gelu_erf", "gelu_erf_q", "gelu_tanh", "relu",
                                                          "silu",     "sigmoid",    "tanh"};
constexpr std::array<std::string_view, 3> kGates = {"silu", "gelu_erf", "gelu_tanh"};
constexpr std::array<std::string_view, 2> kAttentionFormats = {"f32", "int8"};
constexpr std::array<std::string_view, 4> kPositionKinds = {"none", "bias", "alibi", "disentangled"};
constexpr std::array<std::string_view, 2> kQueries = {"all", "first"};
constexpr std::array<std::string_view, 6> kPoolModes = {"mean", "cls",           "max",
                                                        "last", "weighted_mean", "mean_sqrt_len"};

constexpr auto kLinearFormats = [] {
  std::array<std::string_view, 2 + quant::kIntegerFormats.size()> names{"f32", "exact_f32"};
  for (std::size_t i = 2; i < names.size(); ++i) names[i] = quant::kIntegerFormats[i - 2].name;
  return names;
}();

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
    fail_graph(std::string(op_name(node_.op)) + " takes " + counts + " inputs, found " +
               std::to_string(node_.inputs.size()));
  }

  const Value& input(std::size_t i) const {
    const ValueId id = node_.inputs[i];
    if (id < 0 || static_cast<std::size_t>(id) >= graph_.values.size()) {
      fail_graph("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) +
                 " is no value of the graph");
    }
    return graph_.values[static_cast<std::size_t>(id)];
  }

  void expect(std::size_t i, ElementType type, const Shape& shape) const {
    const Value& value = input(i);
    if (reads_as(value.type, type) && value.shape == shape) return;
    fail_graph("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
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
    fail_graph("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
               ") must be rows of values (" + list(types) + "), found " +
               print_type(value.type, value.shape));
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
      fail_graph("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" + value.name +
                 ") must be a table f32[n," + (columns ? std::to_string(columns) : "m") + "], found " +
                 print_type(value.type, value.shape));
    }
    weight(i);
    return value.shape[1].size;
  }

  /// A weight of exactly these extents.
  void matrix(std::size_t i, std::int64_t rows, std::int64_t columns) const {
    expect(i, ElementType::f32, {Extent::of(rows), Extent::of(columns)});
    weight(i);
  }

  void one_of(std::string_view attribute, std::span<const std::string_view> allowed) const {
    const std::string& found = text(node_, attribute);
    if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return;
    std::string list;
    for (const std::string_view name : allowed) list += (list.empty() ? "" : ", ") + std::string(name);
    fail_graph("attribute '" + std::string(attribute) + "' of " + std::string(op_name(node_.op)) +
               " must be one of " + list + ", found " + shown(found));
  }

 private:
  void weight(std::size_t i) const {
    if (input(i).kind == ValueKind::weight) return;
    fail_graph("input " + std::to_string(i) + " of " + std::string(op_name(node_.op)) + " (%" +
               input(i).name + ") must be a weight");
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

ResultType infer_embed_sum(const Node& node, const Checker& check) {
  check.count({2, 4, 6, 8});
  const std::size_t tables = node.inputs.size() / 2;
  for (std::size_t i = 0; i < tables; ++i) check.expect(i, ElementType::i32, {Extent::tokens()});
  const std::int64_t hidden = check.table(tables, 0);
  for (std::size_t i = 1; i < tables; ++i) check.table(tables + i, hidden);
  return {ElementType::f32, {Extent::tokens(), Extent::of(hidden)}};
}

ResultType infer_layernorm(const Graph& graph, const Node& node, const Checker& check) {
  check.count({2, 3, 4});
  const std::int64_t hidden = check.rows(0, {ElementType::f32});
  check.input(1);
  const bool residual = has_residual(graph, node);
  if (residual) check.expect(1, ElementType::f32, check.input(0).shape);
  const std::size_t gamma = residual ? 2 : 1;
  if (node.inputs.size() > gamma + 2) check.count({3});
  if (node.inputs.size() == gamma) check.count({3, 4});
  for (std::size_t i = gamma; i < node.inputs.size(); ++i) check.vector(i, hidden);
  if (number(node, "epsilon") < 0) fail_graph("attribute 'epsilon' of layernorm must not be negative");
  if (!has(node, "result")) return {ElementType::f32, check.input(0).shape};
  check.one_of("result", {&kRowsAndCodes, 1});
  return {ElementType::f32_u8_rows, check.input(0).shape};
}

/// `name`, 0 or 1.
void check_flag(const Node& node, std::string_view name) {
  const std::int64_t found = integer(node, name);
  if (found == 0 || found == 1) return;
  fail_graph("attribute '" + std::string(name) + "' of " + std::string(op_name(node.op)) +
             " must be 0 or 1, found " + std::to_string(found));
}

/// A gate that is part of a linear of `width` columns.
void check_linear_gate(const Node& node, const Checker& check, std::int64_t width) {
  check.one_of("gate", kGates);
  check_flag(node, "up_first");
  if (!has(node, "result")) fail_graph("linear must make u8_rows where it has a gate");
  if (width % 2 != 0)
    fail_graph("linear with a gate makes rows of two halves, found " + std::to_string(width) + " values");
}

ResultType infer_linear(const Node& node, const Checker& check) {
  check.count({2, 3});
  const std::int64_t depth = check.rows(0, {ElementType::f32, ElementType::u8_rows});
  check.table(1, depth);
  const std::int64_t width = check.input(1).shape[0].size;
  if (node.inputs.size() == 3) check.vector(2, width);
  if (has(node, "activation")) check.one_of("activation", kActivations);
  if (has(node, "format")) check.one_of("format", kLinearFormats);
  const bool has_integers = is_integer(node);
  if (!reads_as(check.input(0).type, has_integers ? ElementType::u8_rows : ElementType::f32)) {
    fail_graph(
        "linear must have a format of integers if and only if its rows are quantized, found input 0 (%" +
        check.input(0).name + ") " + print_type(check.input(0).type, check.input(0).shape));
  }
  const bool makes_codes = has(node, "result"), has_gate = has(node, "gate");
  if (makes_codes) check.one_of("result", {&kCodes, 1});
  if (makes_codes && !(has_integers && has(node, "activation") != has_gate)) {
    fail_graph(
        "linear must have a format of integers and either an activation or a gate where its result is "
        "u8_rows");
  }
  if (has_gate) check_linear_gate(node, check, width);
  return {makes_codes ? ElementType::u8_rows : ElementType::f32,
          {check.input(0).shape[0], Extent::of(has_gate ? width / 2 : width)}};
}

/// The values of all heads in a row of an attention's input 0, which has `parts` of Q, K and V.
std::int64_t heads_in_row(const Node& node, const Checker& check, std::int64_t parts) {
  const std::int64_t heads = integer(node, "heads"), head_dim = integer(node, "head_dim");
  const std::int64_t found = check.rows(0, {ElementType::f32});
  const std::int64_t hidden = found / parts;
  if (heads > 0 && head_dim > 0 && found % parts == 0 && hidden % heads == 0 && hidden / heads == head_dim)
    return hidden;
  fail_graph("attention of " + std::to_string(heads) + " heads of " + std::to_string(head_dim) +
             " values does not fit rows of " + std::to_string(found));
}

void check_relative_attributes(const Node& node) {
  check_flag(node, "c2p");
  check_flag(node, "p2c");
  if (integer(node, "c2p") + integer(node, "p2c") == 0)
    fail_graph("disentangled attention must have c2p = 1 or p2c = 1");
  if (has(node, "norm_epsilon") && number(node, "norm_epsilon") < 0)
    fail_graph("attribute 'norm_epsilon' of attention must not be negative");
  const RelativeBuckets by = relative_buckets(node);
  if (by.max_distance < 1 || by.max_distance > kMaxExtent / 2)
    fail_graph("attribute 'max_distance' of attention must lie from 1 to " + std::to_string(kMaxExtent / 2));
  if (by.buckets == 0 || (by.buckets >= 2 && by.buckets / 2 < by.max_distance - 1)) return;
  fail_graph(
      "attribute 'buckets' of attention must be 0, or at least 2 and half of it less than max_distance " +
      std::to_string(by.max_distance) + " - 1, found " + std::to_string(by.buckets));
}

void check_relative_inputs(const Node& node, const Checker& check, std::int64_t hidden) {
  const RelativeInputs at = relative_inputs(node);
  check.matrix(at.table, 2 * relative_buckets(node).span(), hidden);
  if (at.gamma) {
    check.vector(at.gamma, hidden);
    check.vector(at.gamma + 1, hidden);
  }
  for (const std::size_t weight : {at.key_weight, at.query_weight}) {
    if (!weight) continue;
    check.matrix(weight, hidden, hidden);
    check.vector(weight + 1, hidden);
  }
}

ResultType infer_attention(const Node& node, const Checker& check) {
  check.one_of("position", kPositionKinds);
  if (has(node, "queries")) check.one_of("queries", kQueries);
  const Extent queries =
      has(node, "queries") && text(node, "queries") == "first" ? Extent::sequences() : Extent::tokens();
  const bool disentangled = text(node, "position") == "disentangled";
  if (disentangled) check_relative_attributes(node);
  const std::size_t extra = position_inputs(node);
  check.count({1 + extra, 2 + extra, 3 + extra});
  const std::size_t inputs = node.inputs.size() - extra;
  const std::int64_t hidden = heads_in_row(node, check, inputs == 1 ? 3 : 1);
  const Extent rows = inputs == 1 ? Extent::tokens() : queries;
  if (check.input(0).shape[0] != rows) {
    fail_graph(rows == Extent::tokens() ? "attention takes one row a token"
                                        : "attention of first queries takes one row of them a sequence");
  }
  for (std::size_t i = 1; i < inputs; ++i) {
    check.expect(i, ElementType::f32, {Extent::tokens(), Extent::of(inputs == 2 ? 2 * hidden : hidden)});
  }
  if (text(node, "position") == "bias") check.table(inputs, integer(node, "heads"));
  if (disentangled) check_relative_inputs(node, check, hidden);
  number(node, "scale");
  if (has(node, "format")) check.one_of("format", kAttentionFormats);
  if (text(node, "position") == "bias" && integer(node, "max_distance") < 1)
    fail_graph("attribute 'max_distance' of attention must be positive");
  if (integer(node, "window") < 0)
    fail_graph("attribute 'window' of attention must be 0 (all tokens) or positive");
  return {ElementType::f32, {queries, Extent::of(hidden)}};
}

ResultType infer_pool(const Node& node, const Checker& check) {
  check.count({1});
  const std::int64_t hidden = check.rows(0, {ElementType::f32});
  if (check.input(0).shape[0] != Extent::tokens()) fail_graph("pool takes one row a token");
  check.one_of("mode", kPoolModes);
  if (has(node, "skip_prompt")) check_flag(node, "skip_prompt");
  return {ElementType::f32, {Extent::sequences(), Extent::of(hidden)}};
}

ResultType infer_gate(const Node& node, const Checker& check) {
  check.count({1});
  const std::int64_t both = check.rows(0, {ElementType::f32});
  if (both % 2 != 0) fail_graph("gate takes rows of two halves, found " + std::to_string(both) + " values");
  check.one_of("kind", kGates);
  check_flag(node, "up_first");
  return {ElementType::f32, {check.input(0).shape[0], Extent::of(both / 2)}};
}

void check_stretch(const Node& node, std::int64_t rotary_dim) {
  const std::int64_t trained = integer(node, "trained");
  if (trained < 1 || trained > kMaxExtent) {
    fail_graph("attribute 'trained' of rotary must be from 1 to " + std::to_string(kMaxExtent) + ", found " +
               std::to_string(trained));
  }
  if (!(number(node, "stretch") >= 1)) fail_graph("attribute 'stretch' of rotary must be at least 1");
  if (rotary_dim < 4)
    fail_graph("attribute 'rotary_dim' of rotary must be at least 4 where it has 'trained'");
}

ResultType infer_rotary(const Node& node, const Checker& check) {
  check.count({1});
  const std::int64_t width = check.rows(0, {ElementType::f32});
  if (check.input(0).shape[0] != Extent::tokens()) fail_graph("rotary takes one row a token");
  const std::int64_t heads = integer(node, "heads"), head_dim = integer(node, "head_dim");
  const std::int64_t rotary_dim = integer(node, "rotary_dim");
  if (heads < 1 || head_dim < 1 || heads > width / head_dim) {
    fail_graph("rotary of " + std::to_string(heads) + " heads of " + std::to_string(head_dim) +
               " values does not fit rows of " + std::to_string(width));
  }
  if (rotary_dim < 2 || rotary_dim > head_dim || rotary_dim % 2 != 0) {
    fail_graph("attribute 'rotary_dim' of rotary must be even, from 2 to head_dim " +
               std::to_string(head_dim) + ", found " + std::to_string(rotary_dim));
  }
  check_flag(node, "interleaved");
  if (number(node, "theta") <= 0) fail_graph("attribute 'theta' of rotary must be positive");
  if (has(node, "factor") && number(node, "factor") <= 0)
    fail_graph("attribute 'factor' of rotary must be positive");
  if (has(node, "trained")) check_stretch(node, rotary_dim);
  return {ElementType::f32, check.input(0).shape};
}

ResultType infer_concat(const Node& node, const Checker& check) {
  if (node.inputs.empty()) fail_graph("concat takes at least one input, found none");
  std::int64_t columns = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    columns += check.rows(i, {ElementType::f32});
    if (columns > kMaxExtent) fail_graph("concat makes more than " + std::to_string(kMaxExtent) + " columns");
    if (check.input(i).shape[0] != check.input(0).shape[0]) fail_graph("concat takes rows of one kind");
  }
  return {ElementType::f32, {check.input(0).shape[0], Extent::of(columns)}};
}

ResultType infer_unfold(const Node& node, const Checker& check) {
  check.count({1});
  const std::int64_t columns = check.rows(0, {ElementType::f32});
  if (check.input(0).shape[0] != Extent::tokens()) fail_graph("unfold takes one row a token");
  const std::int64_t kernel = integer(node, "kernel");
  if (kernel < 1 || kernel % 2 == 0)
    fail_graph("attribute 'kernel' of unfold must be odd and positive, found " + std::to_string(kernel));
  if (kernel > kMaxExtent / columns)
    fail_graph("unfold makes more than " + std::to_string(kMaxExtent) + " columns");
  return {ElementType::f32, {Extent::tokens(), Extent::of(columns * kernel)}};
}

ResultType same_as_first(const Checker& check, ElementType type = ElementType::f32) {
  check.rows(0, {ElementType::f32});
  return {type, check.input(0).shape};
}

}  // namespace

ResultType infer_result(const Graph& graph, const Node& node) {
  const Checker check(graph, node);
  switch (node.op) {
    case Op::embed_sum:
      return infer_embed_sum(node, check);
    case Op::layernorm:
      return infer_layernorm(graph, node, check);
    case Op::linear:
      return infer_linear(node, check);
    case Op::attention:
      return infer_attention(node, check);
    case Op::pool:
      return infer_pool(node, check);
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
    case Op::gate:
      return infer_gate(node, check);
    case Op::rotary:
      return infer_rotary(node, check);
    case Op::concat:
      return infer_concat(node, check);
    case Op::unfold:
      return infer_unfold(node, check);
    case Op::copy:
    case Op::l2_normalize:
      check.count({1});
      return same_as_first(check);
  }
  fail_graph("a node has an unknown op");
}

}  // namespace nybble::graph
