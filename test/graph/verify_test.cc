#include "graph/verify.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>

#include "graph/text.h"
#include "throws.h"

using namespace nybble::graph;
using nybble::ErrorCode;
using nybble::graph::test::sentence_of;

namespace {

/// A graph of one or two of everything, for tests to damage: x, ids are inputs; w, b weights; r, s results.
struct Sample {
  Graph graph;
  ValueId ids = add_input(graph, "ids", ElementType::i32, {Extent::tokens()});
  ValueId x = add_input(graph, "x", ElementType::f32, {Extent::tokens(), Extent::of(4)});
  ValueId w = add_weight(graph, "w", {Extent::of(4), Extent::of(4)}, {"w"});
  ValueId b = add_weight(graph, "b", {Extent::of(4)}, {"b"});
  ValueId r = add_node(graph, Op::linear, "r", {x, w, b});
  ValueId s = add_node(graph, Op::add, "s", {r, x});

  Sample() {
    graph.name = "sample";
    graph.outputs.push_back({"out", s});
  }
  Value& value(ValueId id) { return graph.values[static_cast<std::size_t>(id)]; }
  std::string error() const {
    return sentence_of(ErrorCode::bad_input, [&] { verify(graph); });
  }
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What infer_result says of a node of `op` over these inputs.
std::string infer_error(const Graph& graph, Op op, std::vector<ValueId> inputs, Attributes attributes = {}) {
  return sentence_of(ErrorCode::bad_input, [&] {
    infer_result(graph, Node{op, std::move(inputs), -1, std::move(attributes)});
  });
}

/// Values of many types for the rules of the ops.
struct Values {
  Graph graph;
  ValueId ids = add_input(graph, "ids", ElementType::i32, {Extent::tokens()});
  ValueId x = add_input(graph, "x", ElementType::f32, {Extent::tokens(), Extent::of(12)});
  ValueId narrow = add_input(graph, "narrow", ElementType::f32, {Extent::tokens(), Extent::of(4)});
  ValueId pooled = add_input(graph, "pooled", ElementType::f32, {Extent::sequences(), Extent::of(12)});
  ValueId u8 = add_input(graph, "u8", ElementType::u8_rows, {Extent::tokens(), Extent::of(12)});
  ValueId flat = add_input(graph, "flat", ElementType::f32, {Extent::of(12)});
  ValueId square = add_input(graph, "square", ElementType::f32, {Extent::of(12), Extent::of(12)});
  ValueId w = add_weight(graph, "w", {Extent::of(6), Extent::of(12)}, {"w"});
  ValueId w4 = add_weight(graph, "w4", {Extent::of(6), Extent::of(4)}, {"w"});
  ValueId b6 = add_weight(graph, "b6", {Extent::of(6)}, {"b"});
  ValueId b12 = add_weight(graph, "b12", {Extent::of(12)}, {"b"});

  std::string error(Op op, std::vector<ValueId> inputs, Attributes attributes = {}) const {
    return infer_error(graph, op, std::move(inputs), std::move(attributes));
  }
};

Attributes attention(std::int64_t heads, std::int64_t head_dim) {
  return {{"heads", heads},
          {"head_dim", head_dim},
          {"scale", 0.5},
          {"window", std::int64_t{0}},
          {"position", std::string("none")}};
}

Attributes with(Attributes attributes, const std::string& name, Attribute value) {
  attributes[name] = std::move(value);
  return attributes;
}

}  // namespace

TEST_CASE("A sound graph is accepted, with or without a name") {
  Sample sample;
  REQUIRE(sample.error() == "");
  sample.graph.name.clear();
  REQUIRE(sample.error() == "");
}

TEST_CASE("Names must be names") {
  Sample sample;
  SECTION("of the graph") {
    sample.graph.name = "two words";
    REQUIRE(sample.error() ==
            "graph: the graph's name must be of letters, digits, '_', '.' and '-', found 'two words'");
  }
  SECTION("of a value") {
    sample.value(sample.w).name = "";
    REQUIRE(sample.error() ==
            "graph: the name of value 2 must be of letters, digits, '_', '.' and '-', found ''");
  }
  SECTION("of an output") {
    sample.graph.outputs[0].name = "a=b";
    REQUIRE(sample.error() ==
            "graph: the name of an output must be of letters, digits, '_', '.' and '-', found 'a=b'");
  }
  SECTION("of an attribute") {
    sample.graph.nodes[0].attributes["é"] = std::int64_t{1};
    REQUIRE(
        sample.error() ==
        "graph: the name of an attribute of linear must be of letters, digits, '_', '.' and '-', found 'é'");
  }
}

TEST_CASE("Names of values and of outputs are unique") {
  Sample sample;
  SECTION("values") {
    sample.value(sample.r).name = "x";
    REQUIRE(sample.error() == "graph: there are two values %x");
  }
  SECTION("outputs") {
    sample.graph.outputs.push_back({"out", sample.r});
    REQUIRE(sample.error() == "graph: there are two outputs 'out'");
  }
}

TEST_CASE("Fixed extents lie from 1 to 2147483647 and symbols have no size") {
  Sample sample;
  const std::int64_t size = GENERATE(std::int64_t{0}, std::int64_t{-1}, INT64_MIN, kMaxExtent + 1, INT64_MAX);
  add_input(sample.graph, "z", ElementType::f32, {Extent::tokens(), Extent::of(size)});
  REQUIRE(sample.error() == "graph: an extent of %z must lie from 1 to 2147483647 or be a symbol, found " +
                                std::to_string(size));
  sample.graph.values.back().shape = {Extent{Extent::Kind::tokens, 3}};
  REQUIRE(sample.error() == "graph: an extent of %z must lie from 1 to 2147483647 or be a symbol, found 3");
}

TEST_CASE("Weights are f32 of fixed extents and name tensors, and nothing else does") {
  Sample sample;
  SECTION("type") {
    sample.value(sample.w).type = ElementType::i32;
    REQUIRE(sample.error() == "graph: %w is a weight, so it must be f32, found i32[4,4]");
  }
  SECTION("extents") {
    sample.value(sample.w).shape[0] = Extent::tokens();
    REQUIRE(sample.error() == "graph: %w is a weight, so its extents must be fixed");
  }
  SECTION("no tensor") {
    sample.value(sample.w).tensors.clear();
    REQUIRE(sample.error() == "graph: %w is a weight without a tensor");
  }
  SECTION("an input with a tensor") {
    sample.value(sample.x).tensors = {"x"};
    REQUIRE(sample.error() == "graph: %x is no weight but names tensors");
  }
}

TEST_CASE("Numbers among the attributes are finite") {
  Sample sample;
  sample.graph.nodes[1].attributes["a"] =
      GENERATE(as<double>(), kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN());
  REQUIRE(sample.error() == "graph: attribute 'a' of add must be finite");
}

TEST_CASE("Inputs are values of the graph, made before they are read") {
  Sample sample;
  SECTION("no value") {
    sample.graph.nodes[1].inputs[1] = GENERATE(-1, 6, 1000, std::numeric_limits<ValueId>::min());
    REQUIRE(sample.error() == "graph: input 1 of add is no value of the graph");
  }
  SECTION("too early") {
    std::swap(sample.graph.nodes[0], sample.graph.nodes[1]);
    REQUIRE(sample.error() == "graph: %r is read by add before it is made");
  }
  SECTION("its own result") {
    sample.graph.nodes[1].inputs[0] = sample.s;
    REQUIRE(sample.error() == "graph: %s is read by add before it is made");
  }
}

TEST_CASE("Every result is made once, by a node, and has the inferred type") {
  Sample sample;
  SECTION("no value") {
    sample.graph.nodes[1].output = GENERATE(-1, 6);
    REQUIRE(sample.error() == "graph: add makes no value");
  }
  SECTION("an input") {
    sample.graph.nodes[1].output = sample.x;
    REQUIRE(sample.error() == "graph: add makes %x, which is an input or a weight");
  }
  SECTION("twice") {
    sample.graph.nodes[1].output = sample.r;
    REQUIRE(sample.error() == "graph: %r is made twice");
  }
  SECTION("never") {
    sample.graph.nodes.pop_back();
    REQUIRE(sample.error() == "graph: %s is never made");
  }
  SECTION("another shape") {
    sample.value(sample.s).shape[1] = Extent::of(5);
    REQUIRE(sample.error() == "graph: %s must be f32[tokens,4], found f32[tokens,5]");
  }
  SECTION("another type") {
    sample.value(sample.s).type = ElementType::u8_rows;
    REQUIRE(sample.error() == "graph: %s must be f32[tokens,4], found u8_rows[tokens,4]");
  }
}

TEST_CASE("There is an output, and it is a value of the graph") {
  Sample sample;
  SECTION("none") {
    sample.graph.outputs.clear();
    REQUIRE(sample.error() == "graph: it has no output");
  }
  SECTION("no value") {
    sample.graph.outputs[0].value = GENERATE(-1, 6);
    REQUIRE(sample.error() == "graph: output 'out' is no value of the graph");
  }
}

TEST_CASE("Each op says how many inputs it takes") {
  const Values v;
  const auto position = with({}, "position", std::string("none"));
  REQUIRE(v.error(Op::embed_sum, {v.ids}) == "graph: embed_sum takes 2 or 4 or 6 or 8 inputs, found 1");
  REQUIRE(v.error(Op::layernorm, {v.x}) == "graph: layernorm takes 2 or 3 or 4 inputs, found 1");
  REQUIRE(v.error(Op::layernorm, {v.x, v.x}) == "graph: layernorm takes 3 or 4 inputs, found 2");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12, v.b12, v.b12}) == "graph: layernorm takes 3 inputs, found 4");
  REQUIRE(v.error(Op::linear, {v.x}) == "graph: linear takes 2 or 3 inputs, found 1");
  REQUIRE(v.error(Op::add_bias, {v.x}) == "graph: add_bias takes 2 inputs, found 1");
  REQUIRE(v.error(Op::add, {}) == "graph: add takes 2 inputs, found 0");
  REQUIRE(v.error(Op::activation, {}) == "graph: activation takes 1 inputs, found 0");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x, v.x}, position) ==
          "graph: attention takes 1 or 2 or 3 inputs, found 4");
  REQUIRE(v.error(Op::attention, {v.x}, with({}, "position", std::string("bias"))) ==
          "graph: attention takes 2 or 3 or 4 inputs, found 1");
  REQUIRE(v.error(Op::quantize_rows, {}) == "graph: quantize_rows takes 1 inputs, found 0");
  REQUIRE(v.error(Op::pool, {v.x, v.x}) == "graph: pool takes 1 inputs, found 2");
  REQUIRE(v.error(Op::l2_normalize, {}) == "graph: l2_normalize takes 1 inputs, found 0");
}

TEST_CASE("embed_sum takes ids of tokens and three tables of one width") {
  const Values v;
  REQUIRE(v.error(Op::embed_sum, {v.ids, v.ids, v.ids, v.w, v.w, v.w}) == "");
  REQUIRE(v.error(Op::embed_sum, {v.ids, v.x, v.ids, v.w, v.w, v.w}) ==
          "graph: input 1 of embed_sum (%x) must be i32[tokens], found f32[tokens,12]");
  REQUIRE(v.error(Op::embed_sum, {v.ids, v.ids, v.ids, v.b12, v.w, v.w}) ==
          "graph: input 3 of embed_sum (%b12) must be a table f32[n,m], found f32[12]");
  REQUIRE(v.error(Op::embed_sum, {v.ids, v.ids, v.ids, v.w, v.w, v.w4}) ==
          "graph: input 5 of embed_sum (%w4) must be a table f32[n,12], found f32[6,4]");
}

TEST_CASE("layernorm takes rows, a residual of the same shape, and two vectors") {
  const Values v;
  const Attributes epsilon = {{"epsilon", 1e-12}};
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12, v.b12}, epsilon) == "");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12}, epsilon) == "");
  REQUIRE(v.error(Op::layernorm, {v.x, v.x, v.b12}, epsilon) == "");
  REQUIRE(v.error(Op::layernorm, {v.pooled, v.pooled, v.b12, v.b12}, epsilon) == "");
  REQUIRE(v.error(Op::layernorm, {v.u8, v.b12, v.b12}, epsilon) ==
          "graph: input 0 of layernorm (%u8) must be rows of values (f32), found u8_rows[tokens,12]");
  REQUIRE(v.error(Op::layernorm, {v.x, v.pooled, v.b12, v.b12}, epsilon) ==
          "graph: input 1 of layernorm (%pooled) must be f32[tokens,12], found f32[sequences,12]");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b6, v.b12}, epsilon) ==
          "graph: input 1 of layernorm (%b6) must be f32[12], found f32[6]");
  REQUIRE(v.error(Op::layernorm, {v.x, v.x, v.b12, v.b6}, epsilon) ==
          "graph: input 3 of layernorm (%b6) must be f32[12], found f32[6]");
  REQUIRE(v.error(Op::layernorm, {v.x, v.flat, v.b12}, epsilon) ==
          "graph: input 1 of layernorm (%flat) must be f32[tokens,12], found f32[12]");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12, v.b12}) ==
          "graph: a node of op layernorm has no attribute 'epsilon'");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12, v.b12}, {{"epsilon", std::int64_t{0}}}) ==
          "graph: attribute 'epsilon' of op layernorm has another type than expected");
  REQUIRE(v.error(Op::layernorm, {v.x, v.b12, v.b12}, {{"epsilon", -1e-12}}) ==
          "graph: attribute 'epsilon' of layernorm must not be negative");
}

TEST_CASE("linear takes rows, a weight as deep as they are wide, and a bias as wide as the weight is high") {
  const Values v;
  REQUIRE(v.error(Op::linear, {v.x, v.w, v.b6}, {{"format", std::string("f32")}}) == "");
  REQUIRE(v.error(Op::linear, {v.u8, v.w}, {{"format", std::string("int8")}}) == "");
  REQUIRE(v.error(Op::linear, {v.ids, v.w}) ==
          "graph: input 0 of linear (%ids) must be rows of values (f32 or u8_rows), found i32[tokens]");
  REQUIRE(v.error(Op::linear, {v.square, v.w}) ==
          "graph: input 0 of linear (%square) must be rows of values (f32 or u8_rows), found f32[12,12]");
  REQUIRE(v.error(Op::linear, {v.x, v.w4}) ==
          "graph: input 1 of linear (%w4) must be a table f32[n,12], found f32[6,4]");
  REQUIRE(v.error(Op::linear, {v.x, v.square}) == "graph: input 1 of linear (%square) must be a weight");
  REQUIRE(v.error(Op::linear, {v.x, v.w, v.b12}) ==
          "graph: input 2 of linear (%b12) must be f32[6], found f32[12]");
  REQUIRE(v.error(Op::linear, {v.x, v.w}, {{"activation", std::string("elu")}}) ==
          "graph: attribute 'activation' of linear must be one of gelu_erf, gelu_erf_q, gelu_tanh, relu, "
          "silu, sigmoid, tanh, found elu");
  REQUIRE(v.error(Op::linear, {v.x, v.w}, {{"activation", std::string(9999, '\n')}}).size() < 200);
  REQUIRE(v.error(Op::linear, {v.x, v.w}, {{"format", std::string("int9")}}) ==
          "graph: attribute 'format' of linear must be one of f32, exact_f32, int8, int7, int6, int5, int4, "
          "found int9");
}

TEST_CASE("linear has a format of integers where its rows are quantized and nowhere else") {
  const Values v;
  for (const std::string format : {"int8", "int7", "int6", "int5", "int4"}) {
    REQUIRE(v.error(Op::linear, {v.u8, v.w}, {{"format", format}}) == "");
    REQUIRE(v.error(Op::linear, {v.x, v.w}, {{"format", format}}) != "");
  }
  const std::string rule =
      "graph: linear must have a format of integers if and only if its rows are quantized, found input 0 ";
  REQUIRE(v.error(Op::linear, {v.u8, v.w}) == rule + "(%u8) u8_rows[tokens,12]");
  REQUIRE(v.error(Op::linear, {v.u8, v.w}, {{"format", std::string("f32")}}) ==
          rule + "(%u8) u8_rows[tokens,12]");
  REQUIRE(v.error(Op::linear, {v.x, v.w}, {{"format", std::string("int8")}}) == rule + "(%x) f32[tokens,12]");
}

TEST_CASE("add_bias, add and activation keep the shape of their rows") {
  const Values v;
  REQUIRE(v.error(Op::add_bias, {v.x, v.b12}) == "");
  REQUIRE(v.error(Op::add_bias, {v.x, v.b6}) ==
          "graph: input 1 of add_bias (%b6) must be f32[12], found f32[6]");
  REQUIRE(v.error(Op::add_bias, {v.x, v.flat}) == "graph: input 1 of add_bias (%flat) must be a weight");
  REQUIRE(v.error(Op::add, {v.x, v.narrow}) ==
          "graph: input 1 of add (%narrow) must be f32[tokens,12], found f32[tokens,4]");
  REQUIRE(v.error(Op::add, {v.u8, v.u8}) ==
          "graph: input 0 of add (%u8) must be rows of values (f32), found u8_rows[tokens,12]");
  REQUIRE(v.error(Op::activation, {v.x}) == "graph: a node of op activation has no attribute 'kind'");
  REQUIRE(v.error(Op::activation, {v.x}, {{"kind", std::string("swish")}}) ==
          "graph: attribute 'kind' of activation must be one of gelu_erf, gelu_erf_q, gelu_tanh, relu, "
          "silu, sigmoid, tanh, found swish");
}

TEST_CASE("quantize_rows and l2_normalize take rows of f32") {
  const Values v;
  const Op op = GENERATE(Op::quantize_rows, Op::l2_normalize);
  REQUIRE(v.error(op, {v.pooled}) == "");
  REQUIRE(v.error(op, {v.u8}) == "graph: input 0 of " + std::string(op_name(op)) +
                                     " (%u8) must be rows of values (f32), found u8_rows[tokens,12]");
}

TEST_CASE("gate takes rows of two halves and makes one of them") {
  const Values v;
  const Attributes silu = {{"kind", std::string("silu")}, {"up_first", std::int64_t{1}}};
  const Node node{Op::gate, {v.x}, -1, silu};
  REQUIRE(infer_result(v.graph, node).shape == Shape{Extent::tokens(), Extent::of(6)});
  REQUIRE(v.error(Op::gate, {v.x}, with(silu, "kind", std::string("relu"))) ==
          "graph: attribute 'kind' of gate must be one of silu, gelu_erf, gelu_tanh, found relu");
  REQUIRE(v.error(Op::gate, {v.x}, with(silu, "up_first", std::int64_t{2})) ==
          "graph: attribute 'up_first' of gate must be 0 or 1, found 2");
}

TEST_CASE("rotary turns heads that the rows have, an even number of values of each") {
  const Values v;
  const Attributes right = {{"heads", std::int64_t{2}},
                            {"head_dim", std::int64_t{6}},
                            {"rotary_dim", std::int64_t{4}},
                            {"interleaved", std::int64_t{0}},
                            {"theta", 1e4}};
  REQUIRE(v.error(Op::rotary, {v.x}, right) == "");
  REQUIRE(v.error(Op::rotary, {v.pooled}, right) == "graph: rotary takes one row a token");
  REQUIRE(v.error(Op::rotary, {v.x}, with(right, "heads", std::int64_t{3})) ==
          "graph: rotary of 3 heads of 6 values does not fit rows of 12");
  REQUIRE(v.error(Op::rotary, {v.x}, with(right, "rotary_dim", std::int64_t{3})) ==
          "graph: attribute 'rotary_dim' of rotary must be even, from 2 to head_dim 6, found 3");
  REQUIRE(v.error(Op::rotary, {v.x}, with(right, "theta", 0.0)) ==
          "graph: attribute 'theta' of rotary must be positive");
  REQUIRE(v.error(Op::rotary, {v.x}, with(right, "factor", -1.0)) ==
          "graph: attribute 'factor' of rotary must be positive");
  const Attributes stretched = with(with(right, "trained", std::int64_t{16}), "stretch", 2.0);
  REQUIRE(v.error(Op::rotary, {v.x}, stretched) == "");
  REQUIRE(v.error(Op::rotary, {v.x}, with(stretched, "trained", std::int64_t{0})) ==
          "graph: attribute 'trained' of rotary must be from 1 to 2147483647, found 0");
  REQUIRE(v.error(Op::rotary, {v.x}, with(stretched, "stretch", 0.5)) ==
          "graph: attribute 'stretch' of rotary must be at least 1");
  REQUIRE(v.error(Op::rotary, {v.x}, with(stretched, "rotary_dim", std::int64_t{2})) ==
          "graph: attribute 'rotary_dim' of rotary must be at least 4 where it has 'trained'");
}

TEST_CASE("concat lays rows of one kind side by side") {
  const Values v;
  const Node node{Op::concat, {v.x, v.narrow}, -1, {}};
  REQUIRE(infer_result(v.graph, node).shape == Shape{Extent::tokens(), Extent::of(16)});
  REQUIRE(v.error(Op::concat, {v.x, v.pooled}) == "graph: concat takes rows of one kind");
  REQUIRE(v.error(Op::concat, {}) == "graph: concat takes at least one input, found none");
}

TEST_CASE("pool takes one row a token and makes one row a sequence") {
  const Values v;
  const Node node{Op::pool, {v.x}, -1, {{"mode", std::string("cls")}}};
  REQUIRE(infer_result(v.graph, node).shape == Shape{Extent::sequences(), Extent::of(12)});
  REQUIRE(v.error(Op::pool, {v.pooled}, node.attributes) == "graph: pool takes one row a token");
  REQUIRE(
      v.error(Op::pool, {v.x}, {{"mode", std::string("min")}}) ==
      "graph: attribute 'mode' of pool must be one of mean, cls, max, last, weighted_mean, mean_sqrt_len, "
      "found min");
}

TEST_CASE("a norm may make codes beside its rows, which are read as both") {
  const Values v;
  Graph graph = parse(
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\nweight %g : f32[4] = \"g\"\n"
      "%y : f32_u8_rows[tokens,4] = layernorm(%x, %g, %g) {epsilon = 0.0, result = \"f32_u8_rows\"}\n"
      "%a : f32[tokens,4] = linear(%y, %w) {format = \"int8\"}\n"
      "%b : f32[tokens,4] = linear(%y, %w) {format = \"f32\"}\n"
      "%s : f32[tokens,4] = add(%a, %y)\noutput o = %s\n");
  REQUIRE_NOTHROW(verify(graph));
  REQUIRE(print(parse(print(graph))) == print(graph));
  graph.nodes[0].attributes["result"] = std::string("u8_rows");
  REQUIRE_THROWS_WITH(verify(graph),
                      "graph: attribute 'result' of layernorm must be one of f32_u8_rows, found u8_rows");
}

TEST_CASE("a linear makes codes where it is in int8 and has an activation") {
  const Values v;
  const Attributes codes = {{"format", std::string("int8")},
                            {"activation", std::string("relu")},
                            {"result", std::string("u8_rows")}};
  REQUIRE(v.error(Op::linear, {v.u8, v.w}, codes) == "");
  const std::string rule =
      "graph: linear must have a format of integers and either an activation or a gate where its result is "
      "u8_rows";
  Attributes plain = codes, floats = codes;
  plain.erase("activation");
  floats["format"] = std::string("f32");
  REQUIRE(v.error(Op::linear, {v.u8, v.w}, plain) == rule);
  REQUIRE(v.error(Op::linear, {v.x, v.w}, floats) == rule);
}

TEST_CASE("a linear in integers may hold a gate, whose rows are half as wide, and then makes codes") {
  Graph graph = parse(
      "input %x : f32[tokens,4]\nweight %w : f32[6,4] = \"w\"\nweight %odd : f32[5,4] = \"o\"\n"
      "%x.u8 : u8_rows[tokens,4] = quantize_rows(%x)\n"
      "%y : u8_rows[tokens,3] = linear(%x.u8, %w) {format = \"int8\", gate = \"silu\", result = \"u8_rows\", "
      "up_first = 0}\nweight %v : f32[2,3] = \"v\"\n%z : f32[tokens,2] = linear(%y, %v) {format = \"int8\"}\n"
      "output o = %z\n");
  REQUIRE_NOTHROW(verify(graph));
  REQUIRE(print(parse(print(graph))) == print(graph));
  const auto error_with = [&](const std::string& name, const Attribute& value) {
    Graph changed = graph;
    changed.nodes[1].attributes[name] = value;
    return sentence_of(ErrorCode::bad_input, [&] { verify(changed); });
  };
  REQUIRE(error_with("gate", std::string("relu")) ==
          "graph: attribute 'gate' of linear must be one of silu, gelu_erf, gelu_tanh, found relu");
  REQUIRE(error_with("up_first", std::int64_t{2}) ==
          "graph: attribute 'up_first' of linear must be 0 or 1, found 2");
  REQUIRE(
      error_with("activation", std::string("relu")) ==
      "graph: linear must have a format of integers and either an activation or a gate where its result is "
      "u8_rows");
  Graph floats = graph, odd = graph;
  floats.nodes[1].attributes.erase("result");
  REQUIRE(sentence_of(ErrorCode::bad_input, [&] { verify(floats); }) ==
          "graph: linear must make u8_rows where it has a gate");
  odd.nodes[1].inputs[1] = odd.nodes[1].inputs[1] + 1;
  REQUIRE(sentence_of(ErrorCode::bad_input, [&] { verify(odd); }) ==
          "graph: linear with a gate makes rows of two halves, found 5 values");
}

TEST_CASE(
    "attention takes q, k, v of one shape, one row of the three or of the last two, and heads that fit") {
  Values v;
  const ValueId kv = add_input(v.graph, "kv", ElementType::f32, {Extent::tokens(), Extent::of(24)});
  REQUIRE(v.error(Op::attention, {v.x, kv}, attention(3, 4)) == "");
  REQUIRE(v.error(Op::attention, {v.x, v.x}, attention(3, 4)) ==
          "graph: input 1 of attention (%x) must be f32[tokens,24], found f32[tokens,12]");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x}, attention(3, 4)) == "");
  REQUIRE(v.error(Op::attention, {v.x}, attention(2, 2)) == "");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.narrow}, attention(3, 4)) ==
          "graph: input 2 of attention (%narrow) must be f32[tokens,12], found f32[tokens,4]");
  REQUIRE(v.error(Op::attention, {v.narrow}, attention(1, 1)) ==
          "graph: attention of 1 heads of 1 values does not fit rows of 4");
  REQUIRE(v.error(Op::attention, {v.pooled}, attention(2, 2)) == "graph: attention takes one row a token");
  const auto wrong = [&](std::int64_t heads, std::int64_t head_dim) {
    return v.error(Op::attention, {v.x, v.x, v.x}, attention(heads, head_dim)) ==
           "graph: attention of " + std::to_string(heads) + " heads of " + std::to_string(head_dim) +
               " values does not fit rows of 12";
  };
  REQUIRE(wrong(3, 3));
  REQUIRE(wrong(5, 2));
  REQUIRE(wrong(0, 12));
  REQUIRE(wrong(-3, -4));
  REQUIRE(wrong(INT64_MIN, -1));
  REQUIRE(wrong(INT64_MAX, INT64_MAX));
  REQUIRE(wrong(std::int64_t{1} << 62, 4));
}

TEST_CASE("attention of first queries takes a row of them a sequence, merged ones of tokens, and gives one") {
  Values v;
  const ValueId kv = add_input(v.graph, "kv", ElementType::f32, {Extent::tokens(), Extent::of(24)});
  const Attributes first = with(attention(3, 4), "queries", std::string("first"));
  const auto error = [&](std::vector<ValueId> inputs) { return v.error(Op::attention, inputs, first); };
  for (const std::vector<ValueId>& inputs : {std::vector<ValueId>{v.pooled, v.x, v.x}, {v.pooled, kv}}) {
    REQUIRE(error(inputs) == "");
    const Shape shape = infer_result(v.graph, {Op::attention, inputs, -1, first}).shape;
    REQUIRE(shape == Shape{Extent::sequences(), Extent::of(12)});
  }
  const Attributes merged = with(attention(2, 2), "queries", std::string("first"));
  REQUIRE(infer_result(v.graph, {Op::attention, {v.x}, -1, merged}).shape ==
          Shape{Extent::sequences(), Extent::of(4)});
  REQUIRE(v.error(Op::attention, {v.pooled}, merged) == "graph: attention takes one row a token");
  REQUIRE(error({v.x, v.x, v.x}) == "graph: attention of first queries takes one row of them a sequence");
  REQUIRE(error({v.pooled, v.pooled, v.x}) ==
          "graph: input 1 of attention (%pooled) must be f32[tokens,12], found f32[sequences,12]");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x}, with(first, "queries", std::string("last"))) ==
          "graph: attribute 'queries' of attention must be one of all, first, found last");
}

TEST_CASE("attention's window, scale, position and format are checked") {
  const Values v;
  const Attributes good = attention(3, 4);
  const auto error = [&](const std::string& name, Attribute value, std::vector<ValueId> inputs) {
    return v.error(Op::attention, std::move(inputs), with(good, name, std::move(value)));
  };
  REQUIRE(error("window", std::int64_t{-1}, {v.x, v.x, v.x}) ==
          "graph: attribute 'window' of attention must be 0 (all tokens) or positive");
  REQUIRE(error("scale", std::int64_t{1}, {v.x, v.x, v.x}) ==
          "graph: attribute 'scale' of op attention has another type than expected");
  REQUIRE(error("position", std::string("rotary"), {v.x, v.x, v.x}) ==
          "graph: attribute 'position' of attention must be one of none, bias, alibi, disentangled, "
          "found rotary");
  REQUIRE(error("format", std::string("int8"), {v.x, v.x, v.x}) == "");
  REQUIRE(error("format", std::string("int4"), {v.x, v.x, v.x}) ==
          "graph: attribute 'format' of attention must be one of f32, int8, found int4");
  REQUIRE(error("position", std::string("bias"), {v.x, v.x, v.x, v.w}) ==
          "graph: input 3 of attention (%w) must be a table f32[n,3], found f32[6,12]");
}

TEST_CASE("disentangled attention takes a table of relative rows and what projects it") {
  Values v;
  const ValueId table = add_weight(v.graph, "table", {Extent::of(8), Extent::of(12)}, {"t"});
  const ValueId project = add_weight(v.graph, "project", {Extent::of(12), Extent::of(12)}, {"p"});
  Attributes good = with(attention(3, 4), "position", std::string("disentangled"));
  good.insert({{"c2p", std::int64_t{1}},
               {"p2c", std::int64_t{0}},
               {"buckets", std::int64_t{4}},
               {"max_distance", std::int64_t{9}}});
  const std::vector<ValueId> inputs = {v.x, v.x, v.x, table, project, v.b12};
  const auto error = [&](const std::string& name, Attribute value) {
    return v.error(Op::attention, inputs, with(good, name, std::move(value)));
  };
  REQUIRE(v.error(Op::attention, inputs, good) == "");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x, table, project, v.b12, project, v.b12},
                  with(good, "p2c", std::int64_t{1})) == "");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x, table, v.b12, v.b12, project, v.b12},
                  with(good, "norm_epsilon", 1e-7)) == "");
  REQUIRE(v.error(Op::attention, {v.x, table}, good) == "graph: attention takes 4 or 5 or 6 inputs, found 2");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x, v.w, project, v.b12}, good) ==
          "graph: input 3 of attention (%w) must be f32[8,12], found f32[6,12]");
  REQUIRE(v.error(Op::attention, {v.x, v.x, v.x, table, v.square, v.b12}, good) ==
          "graph: input 4 of attention (%square) must be a weight");
  REQUIRE(error("c2p", std::int64_t{0}) == "graph: disentangled attention must have c2p = 1 or p2c = 1");
  REQUIRE(error("p2c", std::int64_t{2}) == "graph: attribute 'p2c' of attention must be 0 or 1, found 2");
  REQUIRE(error("norm_epsilon", -1.0) == "graph: attribute 'norm_epsilon' of attention must not be negative");
  REQUIRE(error("max_distance", std::int64_t{0}) ==
          "graph: attribute 'max_distance' of attention must lie from 1 to 1073741823");
  for (const std::int64_t buckets : {-1, 1, 16}) {
    REQUIRE(error("buckets", buckets) ==
            "graph: attribute 'buckets' of attention must be 0, or at least 2 and half of it less than "
            "max_distance 9 - 1, found " +
                std::to_string(buckets));
  }
}

TEST_CASE("unfold takes one row a token and an odd number of them") {
  const Values v;
  const Attributes three = {{"kernel", std::int64_t{3}}};
  REQUIRE(infer_result(v.graph, {Op::unfold, {v.x}, -1, three}).shape ==
          Shape{Extent::tokens(), Extent::of(36)});
  REQUIRE(v.error(Op::unfold, {v.pooled}, three) == "graph: unfold takes one row a token");
  REQUIRE(v.error(Op::unfold, {v.x}, {{"kernel", std::int64_t{4}}}) ==
          "graph: attribute 'kernel' of unfold must be odd and positive, found 4");
  REQUIRE(v.error(Op::unfold, {v.x}, {{"kernel", kMaxExtent}}) ==
          "graph: unfold makes more than 2147483647 columns");
}

TEST_CASE("Names of ops are inverse to op_of, which names what it does not know") {
  for (int i = 0; i < 15; ++i) REQUIRE(op_of(op_name(static_cast<Op>(i))) == static_cast<Op>(i));
  REQUIRE(sentence_of(ErrorCode::bad_input, [] { op_of("matmul"); }) == "graph: there is no op 'matmul'");
}

TEST_CASE("readers, maker and is_output look at the whole graph") {
  const Sample sample;
  REQUIRE(readers(sample.graph, sample.x) == std::vector<std::size_t>{0, 1});
  REQUIRE(readers(sample.graph, sample.s).empty());
  REQUIRE(maker(sample.graph, sample.s) == 1);
  REQUIRE(maker(sample.graph, sample.w) == -1);
  REQUIRE(is_output(sample.graph, sample.s));
  REQUIRE_FALSE(is_output(sample.graph, sample.r));
}
