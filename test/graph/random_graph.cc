#include "random_graph.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace nybble::graph::test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  Graph make(int nodes) {
    if (below(4)) graph_.name = name("g");
    rows_.push_back(add_input(graph_, name("x"), ElementType::f32, {Extent::tokens(), Extent::of(hidden())}));
    for (int i = 0; i < nodes; ++i) step();
    const std::size_t outputs = 1 + below(3);
    for (std::size_t i = 0; i < outputs; ++i) graph_.outputs.push_back({name("out"), any_row()});
    return std::move(graph_);
  }

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  template <class T, std::size_t N>
  const T& one_of(const std::array<T, N>& from) {
    return from[below(N)];
  }

  std::string name(const char* stem) {
    constexpr std::array<const char*, 5> kTails = {"", ".weight", "-b", "_C", ".0.Z9"};
    return stem + std::to_string(names_++) + one_of(kTails);
  }
  std::int64_t hidden() { return one_of(std::array<std::int64_t, 4>{6, 12, 24, 2147483646}); }
  ValueId any_row() { return rows_[below(rows_.size())]; }
  Shape shape_of(ValueId id) const { return graph_.values[static_cast<std::size_t>(id)].shape; }
  std::int64_t width(ValueId id) const { return shape_of(id)[1].size; }
  bool of_tokens(ValueId id) const { return shape_of(id)[0] == Extent::tokens(); }

  std::string any_string() {
    constexpr std::array<const char*, 9> kPieces = {"\"", "\\", "\n", "\\n", "\r", "\t", "é", "a", "}, x = "};
    std::string result;
    for (std::size_t i = below(6); i > 0; --i) result += one_of(kPieces);
    return result;
  }

  double any_number() {
    constexpr std::array<double, 8> kNumbers = {
        1e-12, 0.17677669529663687, 0.0, -0.0, 3.0, 1e300, std::numeric_limits<double>::denorm_min(), -1e22};
    if (below(2)) return one_of(kNumbers);
    const auto bits = std::uniform_int_distribution<std::uint64_t>()(random_);
    const double number = std::bit_cast<double>(bits);
    return std::isfinite(number) ? number : 1.0;
  }

  Attributes extra(Attributes attributes = {}) {
    constexpr std::array<std::int64_t, 4> kIntegers = {0, -7, std::numeric_limits<std::int64_t>::min(),
                                                       std::numeric_limits<std::int64_t>::max()};
    if (below(3) == 0) attributes["note"] = any_string();
    if (below(3) == 0) attributes["note.number"] = any_number();
    if (below(3) == 0) attributes["note-integer"] = one_of(kIntegers);
    return attributes;
  }

  ValueId weight(Shape shape) {
    std::vector<std::string> tensors = {any_string()};
    while (below(3) == 0) tensors.push_back(any_string());
    return add_weight(graph_, name("w"), std::move(shape), std::move(tensors));
  }
  ValueId vector(std::int64_t n) { return weight({Extent::of(n)}); }
  ValueId table(std::int64_t n, std::int64_t k) { return weight({Extent::of(n), Extent::of(k)}); }

  void add(Op op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    const ValueId made = add_node(graph_, op, name("r"), std::move(inputs), extra(std::move(attributes)));
    (op == Op::quantize_rows ? quantized_ : rows_).push_back(made);
  }

  void step() {
    const ValueId x = any_row();
    const std::int64_t n = width(x);
    switch (static_cast<Op>(below(15))) {
      case Op::embed_sum:
        return embed();
      case Op::layernorm:
        return layernorm(x);
      case Op::linear:
        return linear(x);
      case Op::add_bias:
        return add(Op::add_bias, {x, vector(n)});
      case Op::add:
        return add(Op::add, {x, x});
      case Op::activation:
        return add(Op::activation, {below(2) ? product(x) : x}, {{"kind", activation()}});
      case Op::attention:
        return attention(x);
      case Op::quantize_rows:
        return quantize(x);
      case Op::pool:
        if (of_tokens(x)) add(Op::pool, {x}, {{"mode", pool_mode()}});
        return;
      case Op::gate:
        if (n % 2 == 0) add(Op::gate, {x}, {{"kind", gate()}, {"up_first", flag()}});
        return;
      case Op::rotary:
        return rotary(x);
      case Op::concat:
        if (n < 100) add(Op::concat, std::vector<ValueId>(1 + below(3), x));
        return;
      case Op::unfold:
        if (of_tokens(x) && n < 100)
          add(Op::unfold, {x}, {{"kernel", 1 + 2 * static_cast<std::int64_t>(below(3))}});
        return;
      case Op::copy:
        return add(Op::copy, {x});
      case Op::l2_normalize:
        return add(Op::l2_normalize, {x});
    }
  }

  void layernorm(ValueId x) {
    const ValueId gamma = vector(width(x));
    std::vector<ValueId> inputs = {gamma};
    if (below(3)) inputs.push_back(vector(width(x)));
    const Attributes epsilon = {{"epsilon", std::abs(any_number())}};
    if (below(3) == 0) {
      inputs.insert(inputs.begin(), {product(x), x});
    } else {
      inputs.insert(inputs.begin(), below(2) ? add_node(graph_, Op::add, name("s"), {product(x), x}) : x);
    }
    add(Op::layernorm, std::move(inputs), epsilon);
  }

  /// Codes of a row, sometimes of a norm's or an active linear's that nothing else reads.
  void quantize(ValueId x) {
    if (below(3) == 0) {
      const ValueId gamma = vector(width(x));
      const ValueId beta = vector(width(x));
      x = add_node(graph_, Op::layernorm, name("n"), {x, gamma, beta}, {{"epsilon", std::abs(any_number())}});
    } else if (!quantized_.empty() && below(2)) {
      const ValueId codes = quantized_[below(quantized_.size())];
      const ValueId weights = table(hidden(), width(codes));
      x = add_node(graph_, Op::linear, name("l"), {codes, weights},
                   {{"format", std::string("int8")}, {"activation", activation()}});
    }
    add(Op::quantize_rows, {below(4) == 0 && width(x) % 2 == 0 ? gated(x) : x});
  }

  /// A gate of codes times a weight, if there are codes; else of x.
  ValueId gated(ValueId x) {
    if (!quantized_.empty()) {
      const ValueId codes = quantized_[below(quantized_.size())];
      const ValueId weights = table(12, width(codes));
      x = add_node(graph_, Op::linear, name("l"), {codes, weights}, {{"format", std::string("int8")}});
    }
    return add_node(graph_, Op::gate, name("g"), {x}, {{"kind", gate()}, {"up_first", flag()}});
  }

  std::string activation() {
    return one_of(
        std::array<const char*, 7>{"gelu_erf", "gelu_erf_q", "gelu_tanh", "relu", "silu", "sigmoid", "tanh"});
  }
  std::string gate() { return one_of(std::array<const char*, 3>{"silu", "gelu_erf", "gelu_tanh"}); }
  std::string pool_mode() {
    return one_of(
        std::array<const char*, 7>{"mean", "cls", "cls", "max", "last", "weighted_mean", "mean_sqrt_len"});
  }
  std::int64_t flag() { return static_cast<std::int64_t>(below(2)); }

  void rotary(ValueId x) {
    if (!of_tokens(x) || width(x) < 2) return;
    Attributes attributes = {{"heads", std::int64_t{1}},
                             {"head_dim", width(x)},
                             {"rotary_dim", std::int64_t{2}},
                             {"interleaved", flag()},
                             {"theta", 1e4}};
    if (below(2)) attributes["factor"] = 2.0;
    add(Op::rotary, {x}, std::move(attributes));
  }

  void embed() {
    std::vector<ValueId> inputs;
    const std::size_t tables = 1 + below(4);
    for (std::size_t i = 0; i < tables; ++i)
      inputs.push_back(add_input(graph_, name("ids"), ElementType::i32, {Extent::tokens()}));
    const std::int64_t n = hidden();
    for (std::size_t i = 0; i < tables; ++i)
      inputs.push_back(table(1 + static_cast<std::int64_t>(below(9)), n));
    add(Op::embed_sum, std::move(inputs));
  }

  void linear(ValueId x) {
    const bool int8 = !quantized_.empty() && below(2);
    if (int8) x = quantized_[below(quantized_.size())];
    const std::int64_t n = hidden();
    std::vector<ValueId> inputs = {x, table(n, width(x))};
    if (below(2)) inputs.push_back(vector(n));
    Attributes attributes;
    if (int8) attributes["format"] = std::string("int8");
    if (below(3) == 0) attributes["activation"] = activation();
    add(Op::linear, std::move(inputs), std::move(attributes));
  }

  void attention(ValueId x) {
    const bool merged = below(2);
    if (!of_tokens(x) || width(x) % (merged ? 6 : 2) != 0) return;
    const std::string position = one_of(std::array<const char*, 4>{"none", "bias", "alibi", "disentangled"});
    const std::int64_t n = merged ? width(x) / 3 : width(x);
    std::vector<ValueId> inputs(merged ? 1 : 3, x);
    if (!merged && below(2)) {
      for (ValueId& input : inputs) input = projection(x);
    }
    if (position == "bias") inputs.push_back(table(32, 2));
    Attributes attributes = {{"heads", std::int64_t{2}},
                             {"head_dim", n / 2},
                             {"scale", any_number()},
                             {"window", static_cast<std::int64_t>(below(100))},
                             {"max_distance", std::int64_t{128}},
                             {"position", position}};
    if (position == "disentangled") relative(n, inputs, attributes);
    add(Op::attention, std::move(inputs), std::move(attributes));
    if (below(2)) add(Op::pool, {rows_.back()}, {{"mode", std::string("cls")}});
  }

  void relative(std::int64_t hidden, std::vector<ValueId>& inputs, Attributes& attributes) {
    const std::int64_t buckets = below(2) ? 16 : 0, c2p = flag(), p2c = c2p ? flag() : 1;
    inputs.push_back(table(2 * (buckets ? buckets : 128), hidden));
    if (below(2)) {
      attributes["norm_epsilon"] = std::abs(any_number());
      inputs.insert(inputs.end(), {vector(hidden), vector(hidden)});
    }
    for (std::int64_t i = 0; i < c2p + p2c; ++i)
      inputs.insert(inputs.end(), {table(hidden, hidden), vector(hidden)});
    attributes.insert({{"buckets", buckets}, {"c2p", c2p}, {"p2c", p2c}});
  }

  ValueId product(ValueId x) {
    return add_node(graph_, Op::linear, name("p"), {x, table(width(x), width(x))});
  }

  /// A product with `x` of its own width, mostly with a bias.
  ValueId projection(ValueId x) {
    const std::int64_t n = width(x);
    ValueId made = product(x);
    if (below(9)) made = add_node(graph_, Op::add_bias, name("p"), {made, vector(n)});
    if (below(9) == 0) rows_.push_back(made);
    return made;
  }

  std::mt19937 random_;
  Graph graph_;
  std::vector<ValueId> rows_, quantized_;
  int names_ = 0;
};

}  // namespace

Graph random_graph(std::uint32_t seed, int nodes) { return Generator(seed).make(nodes); }

Graph renumbered(const Graph& graph) {
  Graph result = graph;
  result.values.clear();
  std::vector<ValueId> moved(graph.values.size(), -1);
  const auto move = [&](std::size_t i) {
    moved[i] = static_cast<ValueId>(result.values.size());
    result.values.push_back(graph.values[i]);
  };
  for (const ValueKind kind : {ValueKind::input, ValueKind::weight}) {
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
      if (graph.values[i].kind == kind) move(i);
    }
  }
  for (const Node& node : graph.nodes) move(static_cast<std::size_t>(node.output));
  for (Node& node : result.nodes) {
    node.output = moved[static_cast<std::size_t>(node.output)];
    for (ValueId& input : node.inputs) input = moved[static_cast<std::size_t>(input)];
  }
  for (GraphOutput& output : result.outputs) output.value = moved[static_cast<std::size_t>(output.value)];
  return result;
}

}  // namespace nybble::graph::test
