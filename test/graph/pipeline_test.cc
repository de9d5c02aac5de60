// All passes, one after the other, on an imported model.
#include <algorithm>
#include <catch2/catch.hpp>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "tiny_bert.h"

using namespace nybble::graph;
using namespace nybble::graph::test;

namespace {

Graph tiny_bert(int layers, PoolMode pooling = PoolMode::mean) {
  const nlohmann::json config = tiny_bert_config(layers);
  ImportTarget target;
  target.pooling = {pooling};
  return import_tiny(config, bert_tensors(config), target).graph;
}

PassRun with(WeightFormat format) {
  PassRun run;
  run.settings.weights = format;
  return run;
}

/// The lines of nodes and outputs.
std::string body(const Graph& graph) {
  const std::string text = print(graph);
  return text.substr(text.find("%embeddings.sum : "));
}

std::ptrdiff_t count(const Graph& graph, Op op) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [op](const Node& node) { return node.op == op; });
}

}  // namespace

TEST_CASE("The pipeline makes of a BERT layer four linears and two layernorms in f32") {
  Graph graph = tiny_bert(1);
  run_passes(graph, with(WeightFormat::f32));
  REQUIRE(
      body(graph) ==
      "%embeddings.sum : f32[tokens,8] = embed_sum(%ids, %positions, %types, %embeddings.word, "
      "%embeddings.position, %embeddings.type)\n"
      "%embeddings : f32[tokens,8] = layernorm(%embeddings.sum, %embeddings.gamma, %embeddings.beta) "
      "{epsilon = 1e-12}\n"
      "%layer.0.attention.qkv : f32[tokens,24] = linear(%embeddings, %layer.0.attention.qkv.weight, "
      "%layer.0.attention.qkv.bias) {format = \"f32\"}\n"
      "%layer.0.attention : f32[tokens,8] = attention(%layer.0.attention.qkv) "
      "{head_dim = 4, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
      "%layer.0.output : f32[tokens,8] = linear(%layer.0.attention, %layer.0.output.weight, "
      "%layer.0.output.bias) {format = \"f32\"}\n"
      "%layer.0.attended : f32[tokens,8] = layernorm(%layer.0.output, %embeddings, %layer.0.attended.gamma, "
      "%layer.0.attended.beta) {epsilon = 1e-12}\n"
      "%layer.0.gelu : f32[tokens,16] = linear(%layer.0.attended, %layer.0.ffn1.weight, %layer.0.ffn1.bias) "
      "{activation = \"gelu_erf\", format = \"f32\"}\n"
      "%layer.0.ffn2 : f32[tokens,8] = linear(%layer.0.gelu, %layer.0.ffn2.weight, %layer.0.ffn2.bias) "
      "{format = \"f32\"}\n"
      "%layer.0 : f32[tokens,8] = layernorm(%layer.0.ffn2, %layer.0.attended, %layer.0.gamma, "
      "%layer.0.beta) {epsilon = 1e-12}\n"
      "%pooled : f32[sequences,8] = pool(%layer.0) {mode = \"mean\"}\n"
      "output embedding = %pooled\n");
  REQUIRE(print(graph).find("weight %layer.0.attention.qkv.weight : f32[24,8] = "
                            "\"encoder.layer.0.attention.self.query.weight\", "
                            "\"encoder.layer.0.attention.self.key.weight\", "
                            "\"encoder.layer.0.attention.self.value.weight\"\n") != std::string::npos);
}

TEST_CASE(
    "The pipeline quantizes the rows of every linear for int8, where they are made but for attention's") {
  Graph graph = tiny_bert(1);
  run_passes(graph, with(WeightFormat::int8));
  REQUIRE(
      body(graph) ==
      "%embeddings.sum : f32[tokens,8] = embed_sum(%ids, %positions, %types, %embeddings.word, "
      "%embeddings.position, %embeddings.type)\n"
      "%embeddings : f32_u8_rows[tokens,8] = layernorm(%embeddings.sum, %embeddings.gamma, %embeddings.beta) "
      "{epsilon = 1e-12, result = \"f32_u8_rows\"}\n"
      "%layer.0.attention.qkv : f32[tokens,24] = linear(%embeddings, %layer.0.attention.qkv.weight, "
      "%layer.0.attention.qkv.bias) {format = \"int8\"}\n"
      "%layer.0.attention : f32[tokens,8] = attention(%layer.0.attention.qkv) "
      "{format = \"int8\", head_dim = 4, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
      "%layer.0.attention.u8 : u8_rows[tokens,8] = quantize_rows(%layer.0.attention)\n"
      "%layer.0.output : f32[tokens,8] = linear(%layer.0.attention.u8, %layer.0.output.weight, "
      "%layer.0.output.bias) {format = \"int8\"}\n"
      "%layer.0.attended : f32_u8_rows[tokens,8] = layernorm(%layer.0.output, %embeddings, "
      "%layer.0.attended.gamma, %layer.0.attended.beta) {epsilon = 1e-12, result = \"f32_u8_rows\"}\n"
      "%layer.0.gelu.u8 : u8_rows[tokens,16] = linear(%layer.0.attended, %layer.0.ffn1.weight, "
      "%layer.0.ffn1.bias) {activation = \"gelu_erf_q\", format = \"int8\", result = \"u8_rows\"}\n"
      "%layer.0.ffn2 : f32[tokens,8] = linear(%layer.0.gelu.u8, %layer.0.ffn2.weight, %layer.0.ffn2.bias) "
      "{format = \"int8\"}\n"
      "%layer.0 : f32[tokens,8] = layernorm(%layer.0.ffn2, %layer.0.attended, %layer.0.gamma, "
      "%layer.0.beta) {epsilon = 1e-12}\n"
      "%pooled : f32[sequences,8] = pool(%layer.0) {mode = \"mean\"}\n"
      "output embedding = %pooled\n");
}

TEST_CASE("The pipeline leaves one row a sequence after the K and V of the last layer, under a cls pool") {
  Graph graph = tiny_bert(2, PoolMode::cls);
  run_passes(graph, with(WeightFormat::int8));
  const std::string text = body(graph);
  const std::string last =
      "%layer.1.attention.kv : f32[tokens,16] = linear(%layer.0, %layer.1.attention.kv.weight, "
      "%layer.1.attention.kv.bias) {format = \"int8\"}\n"
      "%layer.0.first : f32[sequences,8] = pool(%layer.0) {mode = \"cls\"}\n"
      "%layer.0.first.u8 : u8_rows[sequences,8] = quantize_rows(%layer.0.first)\n"
      "%layer.1.q : f32[sequences,8] = linear(%layer.0.first.u8, %layer.1.q.weight, %layer.1.q.bias) "
      "{format = \"int8\"}\n"
      "%layer.1.attention : f32[sequences,8] = attention(%layer.1.q, %layer.1.attention.kv) "
      "{format = \"int8\", head_dim = 4, heads = 2, position = \"none\", queries = \"first\", scale = 0.5, "
      "window = 0}\n";
  REQUIRE(text.find(last) != std::string::npos);
  REQUIRE(text.find("[tokens", text.find(last) + last.size()) == std::string::npos);
  REQUIRE(text.find("[sequences", 0) > text.find(last));
  REQUIRE(text.find("%pooled : f32[sequences,8] = layernorm(") != std::string::npos);
}

TEST_CASE("The pipeline run twice changes nothing the second time") {
  const WeightFormat format = GENERATE(WeightFormat::f32, WeightFormat::int8);
  const PoolMode pooling = GENERATE(PoolMode::mean, PoolMode::cls);
  Graph graph = tiny_bert(3, pooling);
  run_passes(graph, with(format));
  const Graph once = graph;
  run_passes(graph, with(format));
  REQUIRE(graph == once);
}

TEST_CASE("A disabled pass does not run, and the others still do") {
  const auto ops_without = [](const std::string& name, Op op) {
    Graph graph = tiny_bert(2);
    PassRun run = with(WeightFormat::int8);
    if (!name.empty()) run.disabled = {name};
    run_passes(graph, run);
    return count(graph, op);
  };
  REQUIRE(ops_without("", Op::linear) == 8);
  REQUIRE(ops_without("merge_qkv", Op::linear) == 12);
  REQUIRE(ops_without("merge_qkv", Op::quantize_rows) == 2);
  REQUIRE(ops_without("", Op::add_bias) == 0);
  REQUIRE(ops_without("fuse_bias", Op::add_bias) == 8);
  REQUIRE(ops_without("", Op::activation) == 0);
  REQUIRE(ops_without("fuse_activation", Op::activation) == 2);
  REQUIRE(ops_without("", Op::add) == 0);
  REQUIRE(ops_without("fuse_residual_layernorm", Op::add) == 4);
  REQUIRE(ops_without("", Op::quantize_rows) == 2);
  REQUIRE(ops_without("fuse_norm_quantization", Op::quantize_rows) == 6);
  REQUIRE(ops_without("fuse_linear_quantization", Op::quantize_rows) == 4);
  REQUIRE(ops_without("assign_formats", Op::quantize_rows) == 0);
}

TEST_CASE("Any set of passes may be disabled") {
  const std::size_t n = passes().size();
  const PoolMode pooling = GENERATE(PoolMode::mean, PoolMode::cls);
  for (std::size_t bits = 0; bits < std::size_t{1} << n; ++bits) {
    PassRun run = with(bits % 2 ? WeightFormat::f32 : WeightFormat::int8);
    for (std::size_t i = 0; i < n; ++i) {
      if (bits >> i & 1) run.disabled.emplace(passes()[i].name);
    }
    Graph graph = tiny_bert(2, pooling);
    INFO("bits " << bits);
    REQUIRE_NOTHROW(run_passes(graph, run));
    REQUIRE(print(parse(print(graph))) == print(graph));
  }
}

TEST_CASE("The observer sees each pass that ran, in order, and what it made") {
  Graph graph = tiny_bert(1);
  PassRun run = with(WeightFormat::int8);
  run.disabled = {"fuse_activation"};
  std::vector<std::string> seen;
  std::string last;
  run.observer = [&](std::string_view name, const Graph& made) {
    seen.emplace_back(name);
    last = print(made);
  };
  run_passes(graph, run);
  REQUIRE(seen == std::vector<std::string>{"prune_unread_rows", "merge_qkv", "fuse_bias",
                                           "fuse_residual_layernorm", "assign_formats", "integer_attention",
                                           "fuse_norm_quantization", "fuse_linear_quantization",
                                           "fuse_gate_quantization", "copy_outputs", "remove_dead_nodes"});
  REQUIRE(last == print(graph));
}

TEST_CASE("The passes refuse a graph that is not sound") {
  Graph graph = tiny_bert(1);
  graph.outputs.clear();
  REQUIRE_THROWS_WITH(run_passes(graph, {}), "graph: it has no output");
}

TEST_CASE("A thousand layers go through import, passes and text") {
  Graph graph = tiny_bert(1000);
  run_passes(graph, with(WeightFormat::int8));
  REQUIRE(count(graph, Op::linear) == 4000);
  REQUIRE(count(graph, Op::layernorm) == 2001);
  REQUIRE(graph.nodes.size() == 8003);
  REQUIRE(print(parse(print(graph))) == print(graph));
}
