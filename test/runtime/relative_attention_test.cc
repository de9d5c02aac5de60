#include "runtime/relative_attention.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "kernels/registry.h"
#include "runtime/lowering.h"
#include "weight_folder.h"

using namespace nybble;
using namespace nybble::test;

namespace {

const std::string kText = R"(graph relative
input %ids : i32[tokens]
weight %word : f32[20,24] = "word"
weight %wqkv : f32[72,24] = "wqkv"
weight %table : f32[16,24] = "table"
weight %w : f32[24,24] = "w"
weight %b : f32[24] = "b"
%x : f32[tokens,24] = embed_sum(%ids, %word)
%qkv : f32[tokens,72] = linear(%x, %wqkv)
%context : f32[tokens,24] = attention(%qkv, %table, %w, %b, %w, %b) {buckets = 8, c2p = 1, head_dim = 12, heads = 2, max_distance = 100, p2c = 1, position = "disentangled", scale = 0.3, window = 0}
output o = %context
)";

using Tensors = std::map<std::string, std::vector<float>>;

Tensors random_tensors() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  Tensors tensors;
  for (const auto& [name, count] :
       std::map<std::string, int>{{"word", 480}, {"wqkv", 1728}, {"table", 384}, {"w", 576}, {"b", 24}}) {
    for (int i = 0; i < count; ++i) tensors[name].push_back(normal(random));
  }
  return tensors;
}

WeightFolder folder_of(const Tensors& tensors) {
  return WeightFolder({{"word", {"F32", {20, 24}, bytes_of(tensors.at("word"))}},
                       {"wqkv", {"F32", {72, 24}, bytes_of(tensors.at("wqkv"))}},
                       {"table", {"F32", {16, 24}, bytes_of(tensors.at("table"))}},
                       {"w", {"F32", {24, 24}, bytes_of(tensors.at("w"))}},
                       {"b", {"F32", {24}, bytes_of(tensors.at("b"))}}});
}

/// The plan of the graph for sequences of up to `longest` tokens.
runtime::LoweredModel lowered(const runtime::Weights& weights, int longest, graph::WeightFormat format) {
  graph::Graph graph = graph::parse(kText);
  graph::PassRun passes;
  passes.settings.weights = format;
  graph::run_passes(graph, passes);
  runtime::LoweringOptions options;
  options.kernels = &kernels::best_set();
  options.max_tokens = options.longest = longest;
  return runtime::lower(graph, weights, options, runtime::Scheduler(1));
}

}  // namespace

TEST_CASE("The memory of disentangled attention grows no faster than the length") {
  const WeightFolder folder = folder_of(random_tensors());
  const runtime::Weights& weights = folder.weights();
  const auto format = GENERATE(graph::WeightFormat::f32, graph::WeightFormat::int8);
  std::size_t before = lowered(weights, 4096, format).plan.own_bytes;
  for (const int longest : {8192, 16384}) {
    const std::size_t bytes = lowered(weights, longest, format).plan.own_bytes;
    REQUIRE(bytes <= 2 * before);
    before = bytes;
  }
}

TEST_CASE("A plan counts the multiplications and the weights of relative positions") {
  const WeightFolder folder = folder_of(random_tensors());
  const runtime::Weights& weights = folder.weights();
  const auto model = lowered(weights, 64, graph::WeightFormat::f32);
  const runtime::StepDescription& step = model.plan.stages.at(1).steps.at(0).description;
  REQUIRE(step.op == "attention+disentangled");
  REQUIRE(step.positions == 16);
  REQUIRE(step.macs_per_position == 2 * 24);
  REQUIRE(step.weight_bytes == 2 * 16 * 24 * sizeof(float));
}

TEST_CASE("A table of relative positions that is not finite is an error in INT8, with its name") {
  for (const float bad : {std::nanf(""), INFINITY}) {
    Tensors tensors = random_tensors();
    tensors["table"][5] = bad;
    const WeightFolder folder = folder_of(tensors);
    const auto failure = failure_of([&] { lowered(folder.weights(), 64, graph::WeightFormat::int8); });
    REQUIRE(failure.code == ErrorCode::unsupported_model);
    REQUIRE(failure.sentence.find("tensor \"table\": expected finite weights") != std::string::npos);
  }
}
