// The graph IR: what a model computes, before anyone decides how.
//
// A Graph is a list of nodes in an order in which they can run; each node makes one value from others.
// Extents that a call decides (how many tokens, how many sequences) are symbols. Weights are named views of
// tensors in the model's files: the graph holds names and shapes, never data. Plain data: copy it, compare
// it, change it in a pass; verify() (verify.h) says whether it still makes sense, print() and parse()
// (text.h) are inverse.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nybble::graph {

/// One extent of a shape: a number, or a symbol that each call binds.
struct Extent {
  enum class Kind { fixed, tokens, sequences };
  Kind kind = Kind::fixed;
  std::int64_t size = 0;  ///< of a fixed extent

  static Extent of(std::int64_t size) { return {Kind::fixed, size}; }
  static Extent tokens() { return {Kind::tokens, 0}; }
  static Extent sequences() { return {Kind::sequences, 0}; }
  bool operator==(const Extent&) const = default;
};
using Shape = std::vector<Extent>;

/// What the elements of a value are.
enum class ElementType {
  f32,
  i32,
  u8_rows,      ///< u8 codes with a scale and zero point for each row and block along K (docs/numerics.md)
  f32_u8_rows,  ///< both: f32 for whoever reads f32, the codes of the same rows for who reads u8_rows
};

/// Whether a value of type `type` can be read as `wanted`.
constexpr bool reads_as(ElementType type, ElementType wanted) {
  return type == wanted ||
         (type == ElementType::f32_u8_rows && (wanted == ElementType::f32 || wanted == ElementType::u8_rows));
}

/// The attribute `result` of a node that makes other rows than f32.
inline constexpr std::string_view kCodes = "u8_rows", kRowsAndCodes = "f32_u8_rows";

enum class ValueKind { input, weight, result };

/// Index into Graph::values.
using ValueId = std::int32_t;

struct Value {
  std::string name;
  ValueKind kind = ValueKind::result;
  ElementType type = ElementType::f32;
  Shape shape;
  std::vector<std::string> tensors;  ///< of a weight: the tensors in the file, laid end to end along extent 0

  bool operator==(const Value&) const = default;
};

enum class Op {
  embed_sum,  ///< (ids…, tables…), as many of one as of the other, 1 to 4 -> f32[tokens,H]: a row of each,
              ///< summed
  layernorm,   ///< (x, gamma) or (x, gamma, beta) or, fused, with a residual behind x; `result` may be
               ///< "f32_u8_rows"
  linear,      ///< (x, weight) or, fused, (x, weight, bias): x·Wᵀ + bias, then `activation` if it has one;
               ///< with one, in integers, `result` may be "u8_rows". In integers with `gate`
               ///< = the kind of an Op::gate and its `up_first`, the codes of the gated rows. `format`
               ///< "exact_f32", which importers give to layers of heads, keeps the file's weights
  add_bias,    ///< (x, bias)
  add,         ///< (x, y)
  activation,  ///< (x), `kind`
  /// (x[.,2n]) -> [.,n]: the halves of a row are gate and up, or with `up_first` = 1 up and gate;
  /// `kind`(gate) · up
  gate,
  /// (x) -> the same shape: rotary position embedding of the first `heads` heads of `head_dim` values of a
  /// row, `rotary_dim` of each, at the angles position / (theta^(2i / rotary_dim) · factor); pairs are
  /// neighbours where `interleaved` = 1, else half of rotary_dim apart
  /// With `trained` and `stretch` theta is greater for sequences of n > trained tokens, by the factor
  /// (stretch · n / trained - (stretch - 1))^(rotary_dim / (rotary_dim - 2)).
  rotary,
  /// (q, k, v) or, merged, (q, kv) or (qkv); in integers where `format` is "int8". `position` is "none";
  /// "alibi"; "bias", with a table [buckets,heads] as last input and `max_distance`, by the buckets of T5; or
  /// "disentangled" (relative_rows.h), with a table and what projects it behind q, k and v.
  /// With `window` = w > 0 a query sees the keys at most w away. With `queries` = "first" only the first
  /// token of each sequence is a query: q (merged with none) and the result have a row a sequence.
  attention,
  quantize_rows,  ///< (x) -> u8_rows
  /// (x) -> f32[sequences,H], `mode`; "cls" takes the first row of each sequence, "last" the last. With
  /// `skip_prompt` = 1 over the tokens from Batch::pool_from on.
  pool,
  concat,  ///< (x, y, …): the columns of each, side by side
  /// (x[tokens,n]) -> [tokens,n·kernel]: at c·kernel + t column c of the row t - (kernel - 1)/2 behind this
  /// one in its sequence, 0 outside. A convolution along the tokens is a linear of it; `kernel` is odd
  unfold,
  copy,          ///< (x) -> the same, where what made x cannot write it (lowering puts it in)
  l2_normalize,  ///< (x)
};

using Attribute = std::variant<std::int64_t, double, std::string>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

struct Node {
  Op op = Op::add;
  std::vector<ValueId> inputs;
  ValueId output = -1;
  Attributes attributes;

  bool operator==(const Node&) const = default;
};

/// A value that the caller of the graph receives.
struct GraphOutput {
  std::string name;  ///< "embedding", "tokens"
  ValueId value = -1;
  bool operator==(const GraphOutput&) const = default;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<GraphOutput> outputs;

  bool operator==(const Graph&) const = default;
};

// ---- building ----

ValueId add_input(Graph& graph, std::string name, ElementType type, Shape shape);
ValueId add_weight(Graph& graph, std::string name, Shape shape, std::vector<std::string> tensors);
/// Appends a node and its result; the result's type and shape are inferred from the inputs (verify.h says by
/// which rules).
ValueId add_node(Graph& graph, Op op, std::string result_name, std::vector<ValueId> inputs,
                 Attributes attributes = {});

// ---- looking ----

std::string_view op_name(Op op);
/// The op of that name; throws Error{bad_input} if there is none.
Op op_of(std::string_view name);

std::int64_t integer(const Node& node, std::string_view attribute);
double number(const Node& node, std::string_view attribute);
const std::string& text(const Node& node, std::string_view attribute);
bool has(const Node& node, std::string_view attribute);
/// Whether a layernorm adds a residual first: its input 1 is one where it is no weight.
bool has_residual(const Graph& graph, const Node& layernorm);
/// How many inputs an attention has behind q, k and v: what its `position` needs.
std::size_t position_inputs(const Node& attention);
/// Whether a linear, or an attention, has a `format` of integers.
bool is_integer(const Node& node);

// These three look at every node (or output): count first (passes/value_uses.h) where many values are asked
// for.
/// The indices of the nodes that read `value`, in order.
std::vector<std::size_t> readers(const Graph& graph, ValueId value);
/// The node that makes `value`, or -1 for inputs and weights.
std::ptrdiff_t maker(const Graph& graph, ValueId value);
/// Whether a graph output is `value`.
bool is_output(const Graph& graph, ValueId value);

}  // namespace nybble::graph
