#include "runtime/lowering.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "double_graph.h"
#include "graph/passes/passes.h"
#include "graph/text.h"
#include "kernels/registry.h"
#include "row_counts.h"
#include "runtime/run_plan.h"
#include "weight_folder.h"

using namespace nybble;
using namespace nybble::test;
using graph::Graph;
using graph::WeightFormat;

namespace {

// One encoder layer whose widths are multiples of nothing, an activation after it, and a head.
const std::string kEncoder = R"(graph small
input %ids : i32[tokens]
input %positions : i32[tokens]
input %types : i32[tokens]
weight %word : f32[20,24] = "word"
weight %position : f32[40,24] = "position"
weight %type : f32[2,24] = "type"
weight %g : f32[24] = "g"
weight %b : f32[24] = "b"
weight %wq : f32[24,24] = "wq"
weight %wk : f32[24,24] = "wk"
weight %wv : f32[24,24] = "wv"
weight %bq : f32[24] = "bq"
weight %bk : f32[24] = "bk"
weight %bv : f32[24] = "bv"
weight %wo : f32[24,24] = "wo"
weight %bo : f32[24] = "bo"
weight %w1 : f32[37,24] = "w1"
weight %b1 : f32[37] = "b1"
weight %w2 : f32[24,37] = "w2"
weight %b2 : f32[24] = "b2"
%sum : f32[tokens,24] = embed_sum(%ids, %positions, %types, %word, %position, %type)
%x : f32[tokens,24] = layernorm(%sum, %g, %b) {epsilon = 1e-12}
%qp : f32[tokens,24] = linear(%x, %wq)
%q : f32[tokens,24] = add_bias(%qp, %bq)
%kp : f32[tokens,24] = linear(%x, %wk)
%k : f32[tokens,24] = add_bias(%kp, %bk)
%vp : f32[tokens,24] = linear(%x, %wv)
%v : f32[tokens,24] = add_bias(%vp, %bv)
%context : f32[tokens,24] = attention(%q, %k, %v) {head_dim = 12, heads = 2, position = "none", scale = 0.3, window = 0}
%op : f32[tokens,24] = linear(%context, %wo)
%o : f32[tokens,24] = add_bias(%op, %bo)
%r1 : f32[tokens,24] = add(%o, %x)
%y : f32[tokens,24] = layernorm(%r1, %g, %b) {epsilon = 1e-12}
%f1p : f32[tokens,37] = linear(%y, %w1)
%f1 : f32[tokens,37] = add_bias(%f1p, %b1)
%act : f32[tokens,37] = activation(%f1) {kind = "gelu_erf"}
%f2p : f32[tokens,24] = linear(%act, %w2)
%f2 : f32[tokens,24] = add_bias(%f2p, %b2)
%r2 : f32[tokens,24] = add(%f2, %y)
%z : f32[tokens,24] = layernorm(%r2, %g, %b) {epsilon = 1e-12}
%mean : f32[sequences,24] = pool(%z) {mode = "mean"}
%first : f32[sequences,24] = pool(%z) {mode = "cls"}
%unit : f32[sequences,24] = l2_normalize(%mean)
%row_unit : f32[tokens,24] = l2_normalize(%z)
)";

// A layer with what other families have: two tables, rotary positions on a merged product, a window or biases
// of distances, norms without beta, a gate, poolings, and a product as the output.
const std::string kGated = R"(graph gated
input %ids : i32[tokens]
input %positions : i32[tokens]
input %types : i32[tokens]
weight %word : f32[20,24] = "word"
weight %type : f32[2,24] = "type"
weight %g : f32[24] = "g"
weight %wqkv : f32[72,24] = "wqkv"
weight %buckets : f32[8,2] = "buckets"
weight %wo : f32[24,24] = "wo"
weight %w1 : f32[74,24] = "w1"
weight %w2 : f32[24,37] = "w2"
weight %wd : f32[19,72] = "wd"
weight %wn : f32[24,72] = "wn"
weight %wf : f32[74,120] = "wf"
weight %distances : f32[60,24] = "distances"
weight %near : f32[16,24] = "near"
weight %wr : f32[24,24] = "wr"
%sum : f32[tokens,24] = embed_sum(%ids, %types, %word, %type)
%x : f32[tokens,24] = layernorm(%sum, %g) {epsilon = 1e-05}
%qkv : f32[tokens,72] = linear(%x, %wqkv)
%turned : f32[tokens,72] = rotary(%qkv) {factor = 1.5, head_dim = 12, heads = 4, interleaved = 0, rotary_dim = 10, theta = 100.0}
%context : f32[tokens,24] = attention(%turned) {head_dim = 12, heads = 2, position = "none", scale = 0.3, window = 0}
%o : f32[tokens,24] = linear(%context, %wo)
%r1 : f32[tokens,24] = add(%o, %sum)
%y : f32[tokens,24] = layernorm(%r1, %g) {epsilon = 1e-05}
%f1 : f32[tokens,74] = linear(%y, %w1)
%act : f32[tokens,37] = gate(%f1) {kind = "silu", up_first = 0}
%f2 : f32[tokens,24] = linear(%act, %w2)
%z : f32[tokens,24] = add(%f2, %r1)
%most : f32[sequences,24] = pool(%z) {mode = "max"}
%last : f32[sequences,24] = pool(%z) {mode = "last"}
%first : f32[sequences,24] = pool(%z) {mode = "cls"}
%all : f32[sequences,72] = concat(%first, %most, %last)
%dense : f32[sequences,19] = linear(%all, %wd) {activation = "tanh"}
)";

Graph encoder_with_output(const std::string& value, std::string text = kEncoder) {
  return graph::parse(text + "output o = %" + value + "\n");
}

using Tensors = std::map<std::string, std::vector<float>>;

/// Random values for every weight of `graph`, by tensor.
Tensors random_tensors(const Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.4f);
  Tensors tensors;
  for (const graph::Value& value : graph.values) {
    if (value.kind != graph::ValueKind::weight || tensors.contains(value.tensors[0])) continue;
    std::size_t count = 1;
    for (const graph::Extent& extent : value.shape) count *= static_cast<std::size_t>(extent.size);
    for (std::size_t i = 0; i < count; ++i) tensors[value.tensors[0]].push_back(normal(random));
  }
  return tensors;
}

WeightFolder write(const Graph& graph, const Tensors& tensors) {
  std::map<std::string, WeightTensor> files;
  for (const graph::Value& value : graph.values) {
    if (value.kind != graph::ValueKind::weight) continue;
    std::vector<std::int64_t> shape;
    for (const graph::Extent& extent : value.shape) shape.push_back(extent.size);
    files[value.tensors[0]] = {"F32", shape, bytes_of(tensors.at(value.tensors[0]))};
  }
  return WeightFolder(files);
}

/// Sequences of these lengths with random ids.
DoubleInputs random_inputs(const std::vector<int>& lengths, unsigned seed) {
  std::mt19937 random(seed);
  DoubleInputs inputs;
  inputs.cu_seqlens = {0};
  for (const int length : lengths) {
    for (int i = 0; i < length; ++i) {
      inputs.ids.push_back(static_cast<std::int32_t>(random() % 20));
      inputs.positions.push_back(i);
      inputs.types.push_back(static_cast<std::int32_t>(random() % 2));
    }
    inputs.cu_seqlens.push_back(static_cast<std::int32_t>(inputs.ids.size()));
  }
  return inputs;
}

struct Lowered {
  WeightFormat format = WeightFormat::f32;
  std::set<std::string, std::less<>> disabled;
  int threads = 1;
  const kernels::KernelSet* kernels = &kernels::best_set();
  std::optional<runtime::RunChoice> choice = {};  ///< else as the runtime chooses
};

constexpr float kGuard = 4321.0f;

/// The output's rows of `graph` after its passes, lowered and run; empty where memory after the rows was
/// written.
std::vector<float> run(Graph graph, const runtime::Weights& weights, const DoubleInputs& inputs,
                       const Lowered& how) {
  graph::PassRun passes;
  passes.settings.weights = how.format;
  passes.disabled = how.disabled;
  graph::run_passes(graph, passes);
  const runtime::Scheduler scheduler(how.threads);
  runtime::LoweringOptions options;
  options.kernels = how.kernels;
  options.max_tokens = static_cast<int>(inputs.ids.size());
  options.longest = 40;
  const runtime::LoweredModel model = runtime::lower(graph, weights, options, scheduler);
  const auto sequences = static_cast<std::int32_t>(inputs.cu_seqlens.size() - 1);
  std::vector<std::int32_t> order(static_cast<std::size_t>(sequences));
  std::iota(order.begin(), order.end(), 0);
  const graph::Value& output = graph.values[static_cast<std::size_t>(graph.outputs[0].value)];
  const std::size_t rows = output.shape[0] == graph::Extent::sequences() ? order.size() : inputs.ids.size();
  std::vector<float> out(rows * static_cast<std::size_t>(model.plan.output_columns) + 64, kGuard);
  const runtime::Batch batch{inputs.ids.data(),   inputs.positions.data(),
                             inputs.types.data(), inputs.cu_seqlens.data(),
                             order.data(),        static_cast<int>(inputs.ids.size()),
                             sequences,           out.data()};
  runtime::Workspace workspace(model.plan, how.threads);
  if (how.choice) {
    runtime::run_plan_as(*how.choice, model.plan, batch, workspace, scheduler);
  } else {
    runtime::run_plan(model.plan, batch, workspace, scheduler);
  }
  if (!std::all_of(out.end() - 64, out.end(), [](float x) { return x == kGuard; })) return {};
  out.resize(out.size() - 64);
  return out;
}

double largest_difference(const std::vector<float>& found, const Rows& expected) {
  if (found.size() != expected.values.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(found[i]) - expected.values[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

std::vector<std::string> all_passes_but_formats() {
  std::vector<std::string> names;
  for (const graph::Pass& pass : graph::passes()) {
    if (pass.name != "assign_formats") names.emplace_back(pass.name);
  }
  return names;
}

/// All rows are made, whatever the head reads.
const std::set<std::string, std::less<>> kUnpruned = {"prune_unread_rows"};

const std::vector<int> kLengths = {3, 1, 40, 17, 2};

}  // namespace

TEST_CASE("FP32 gives what the graph says, with all passes, with any one left out, and with none") {
  const Graph graph = encoder_with_output("unit");
  const Tensors tensors = random_tensors(graph, 1);
  const WeightFolder folder = write(graph, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 2);
  const Rows expected = run_in_double(graph, tensors, inputs);
  std::vector<std::set<std::string, std::less<>>> choices = {{}};
  for (const std::string& pass : all_passes_but_formats()) {
    choices.push_back({pass});
    choices[0].insert(pass);
  }
  choices.push_back({});
  for (const auto& disabled : choices) {
    for (const int threads : {1, 3}) {
      INFO(disabled.size() << " passes disabled, first " << (disabled.empty() ? "none" : *disabled.begin())
                           << ", threads " << threads);
      REQUIRE(largest_difference(run(graph, folder.weights(), inputs, {WeightFormat::f32, disabled, threads}),
                                 expected) <= 1e-5);
    }
  }
}

TEST_CASE("Positions, windows and gates of other families give what the graph says") {
  const auto [from, to] = GENERATE(table<std::string, std::string>({
      {"silu", "silu"},
      {"\"silu\", up_first = 0", "\"gelu_erf\", up_first = 1"},
      {"\"silu\"", "\"gelu_tanh\""},
      {"interleaved = 0", "interleaved = 1"},
      {"window = 0", "window = 5"},
      {"window = 0", "window = 17"},
      {"position = \"none\"", "position = \"alibi\""},
      {"%o : f32[tokens,24] = linear(%context, %wo)",
       "%three : f32[tokens,72] = unfold(%context) {kernel = 3}\n%o : f32[tokens,24] = linear(%three, %wn)"},
      {"%f1 : f32[tokens,74] = linear(%y, %w1)",
       "%five : f32[tokens,120] = unfold(%y) {kernel = 5}\n%f1 : f32[tokens,74] = linear(%five, %wf)"},
      {"attention(%turned) {head_dim = 12, heads = 2, position = \"none\"",
       "attention(%turned, %distances, %wr, %g, %wo, %g) {buckets = 0, c2p = 1, head_dim = 12, heads = 2, "
       "max_distance = 30, p2c = 1, position = \"disentangled\""},
      {"attention(%turned) {head_dim = 12, heads = 2, position = \"none\"",
       "attention(%turned, %near, %g, %g, %wr, %g) {buckets = 8, c2p = 1, head_dim = 12, heads = 2, "
       "max_distance = 30, norm_epsilon = 1e-05, p2c = 0, position = \"disentangled\""},
      {"attention(%turned) {head_dim = 12, heads = 2, position = \"none\"",
       "attention(%turned, %near, %wr, %g) {buckets = 8, c2p = 0, head_dim = 12, heads = 2, "
       "max_distance = 17, p2c = 1, position = \"disentangled\""},
      {"attention(%turned) {head_dim = 12, heads = 2, position = \"none\"",
       "attention(%turned, %buckets) {head_dim = 12, heads = 2, max_distance = 20, position = \"bias\""},
  }));
  INFO(from << " -> " << to);
  std::string text = kGated;
  REQUIRE(text.find(from) != std::string::npos);
  text.replace(text.find(from), from.size(), to);
  const Graph graph = encoder_with_output("dense", text);
  const Tensors tensors = random_tensors(graph, 7);
  const WeightFolder folder = write(graph, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 8);
  const Rows expected = run_in_double(graph, tensors, inputs);
  for (const int threads : {1, 3}) {
    REQUIRE(largest_difference(run(graph, folder.weights(), inputs, {WeightFormat::f32, {}, threads}),
                               expected) <= 2e-5);
  }
  const std::vector<float> exact =
      run(graph, folder.weights(), inputs, {WeightFormat::int8, {}, 1, &kernels::find_set("scalar")});
  REQUIRE(largest_difference(exact, expected) <= 0.25);  // after tanh, of rows that no norm has shrunk
  for (const kernels::RegisteredSet& entry : kernels::registered_sets()) {
    if (!entry.runnable) continue;
    for (const int threads : {1, 3}) {
      INFO(entry.set->name << ", threads " << threads);
      REQUIRE(run(graph, folder.weights(), inputs, {WeightFormat::int8, {}, threads, entry.set}) == exact);
    }
  }
}

TEST_CASE("Linears of the same tensors share their weights in memory") {
  const std::string text = R"(graph shared
input %ids : i32[tokens]
weight %word : f32[20,24] = "word"
weight %w : f32[24,24] = "w"
weight %w.again : f32[24,24] = "w"
weight %b : f32[24] = "b"
%x : f32[tokens,24] = embed_sum(%ids, %word)
%y : f32[tokens,24] = linear(%x, %w)
%z : f32[tokens,24] = linear(%y, %w.again)
%o : f32[tokens,24] = linear(%z, %w, %b)
output o = %o
)";
  Graph graph = graph::parse(text);
  const WeightFolder folder = write(graph, random_tensors(graph, 9));
  graph::PassRun passes;
  passes.settings.weights = GENERATE(WeightFormat::f32, WeightFormat::int8);
  graph::run_passes(graph, passes);
  const runtime::Scheduler scheduler(1);
  runtime::LoweringOptions options;
  options.kernels = &kernels::best_set();
  options.max_tokens = options.longest = 40;
  const runtime::LoweredModel model = runtime::lower(graph, folder.weights(), options, scheduler);
  REQUIRE(model.packed.size() + model.matmuls.size() == 2);
}

TEST_CASE("any value can be the output but a linear's, and no memory beside its rows is written") {
  const std::set<std::string, std::less<>> disabled = [] {
    const std::vector<std::string> names = all_passes_but_formats();
    return std::set<std::string, std::less<>>(names.begin(), names.end());
  }();
  const Graph whole = encoder_with_output("unit");
  const Tensors tensors = random_tensors(whole, 3);
  const WeightFolder folder = write(whole, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 4);
  for (const graph::Node& node : whole.nodes) {
    const std::string name = whole.values[static_cast<std::size_t>(node.output)].name;
    const Graph graph = encoder_with_output(name);
    INFO("%" << name);
    const auto call = [&] { return run(graph, folder.weights(), inputs, {WeightFormat::f32, disabled}); };
    if (node.op == graph::Op::linear) {  // but with the pass copy_outputs
      const auto failure = failure_of(call);
      REQUIRE(failure.code == ErrorCode::unsupported_model);
      REQUIRE(failure.sentence == "graph small: a linear's result cannot be the output");
      continue;
    }
    REQUIRE(largest_difference(call(), run_in_double(graph, tensors, inputs)) <= 2e-5);
  }
}

TEST_CASE("every activation is bound to its kernel, fused and alone") {
  for (const std::string kind : {"gelu_erf", "gelu_tanh", "relu"}) {
    std::string text = kEncoder;
    text.replace(text.find("\"gelu_erf\""), 10, "\"" + kind + "\"");
    const Graph graph = encoder_with_output("z", text);
    const Tensors tensors = random_tensors(graph, 5);
    const WeightFolder folder = write(graph, tensors);
    const DoubleInputs inputs = random_inputs(kLengths, 6);
    const Rows expected = run_in_double(graph, tensors, inputs);
    for (const std::set<std::string, std::less<>>& disabled :
         {std::set<std::string, std::less<>>{}, {"fuse_activation"}}) {
      INFO(kind);
      REQUIRE(largest_difference(run(graph, folder.weights(), inputs, {WeightFormat::f32, disabled}),
                                 expected) <= 2e-5);
      REQUIRE(largest_difference(run(graph, folder.weights(), inputs, {WeightFormat::int8, disabled}),
                                 expected) <= 0.15);
    }
  }
}

TEST_CASE(
    "INT8 has the same bits on every instruction set and thread count, and merged Q, K, V and codes made "
    "early change none") {
  const Graph graph = encoder_with_output("z");
  const Tensors tensors = random_tensors(graph, 7);
  const WeightFolder folder = write(graph, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 8);
  const std::vector<float> expected =
      run(graph, folder.weights(), inputs, {WeightFormat::int8, {}, 1, &kernels::find_set("scalar")});
  REQUIRE(largest_difference(expected, run_in_double(graph, tensors, inputs)) <= 0.15);
  for (const kernels::RegisteredSet& entry : kernels::registered_sets()) {
    if (!entry.runnable) continue;
    for (const int threads : {1, 2, 5}) {
      for (const std::set<std::string, std::less<>>& disabled : {std::set<std::string, std::less<>>{},
                                                                 {"merge_qkv"},
                                                                 {"fuse_norm_quantization"},
                                                                 {"fuse_linear_quantization"}}) {
        INFO(entry.set->name << ", threads " << threads << ", disabled " << disabled.size());
        REQUIRE(run(graph, folder.weights(), inputs, {WeightFormat::int8, disabled, threads, entry.set}) ==
                expected);
      }
    }
  }
}

TEST_CASE(
    "weights of fewer bits have the same bits on every instruction set, with codes made early or late") {
  const WeightFormat format =
      GENERATE(WeightFormat::int7, WeightFormat::int6, WeightFormat::int5, WeightFormat::int4);
  const Graph graph = encoder_with_output("z");
  const Tensors tensors = random_tensors(graph, 7);
  const WeightFolder folder = write(graph, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 8);
  const std::vector<float> expected =
      run(graph, folder.weights(), inputs, {format, {}, 1, &kernels::find_set("scalar")});
  REQUIRE(largest_difference(expected, run_in_double(graph, tensors, inputs)) <= 1.0);
  for (const kernels::RegisteredSet& entry : kernels::registered_sets()) {
    if (!entry.runnable) continue;
    for (const std::set<std::string, std::less<>>& disabled :
         {std::set<std::string, std::less<>>{}, {"fuse_linear_quantization"}}) {
      INFO(entry.set->name << ", " << graph::format_name(format) << ", disabled " << disabled.size());
      REQUIRE(run(graph, folder.weights(), inputs, {format, disabled, 2, entry.set}) == expected);
    }
  }
}

TEST_CASE("linears of one graph may have different formats") {
  const Graph plain = encoder_with_output("z");
  const Tensors tensors = random_tensors(plain, 7);
  const WeightFolder folder = write(plain, tensors);
  const DoubleInputs inputs = random_inputs(kLengths, 8);
  Graph graph = plain;
  graph::PassRun passes;
  passes.settings.weights = WeightFormat::int8;
  graph::run_passes(graph, passes);
  std::vector<graph::Node*> linears;
  for (graph::Node& node : graph.nodes) {
    if (node.op == graph::Op::linear) linears.push_back(&node);
  }
  REQUIRE(linears.size() >= 3);
  linears[0]->attributes["format"] = std::string("int4");
  linears[1]->attributes["format"] = std::string("int6");
  const std::vector<float> all8 = run(plain, folder.weights(), inputs, {WeightFormat::int8, {}});
  const std::vector<float> mixed = run(graph, folder.weights(), inputs, {WeightFormat::int8, {}});
  REQUIRE(mixed != all8);
  REQUIRE(largest_difference(mixed, run_in_double(plain, tensors, inputs)) <= 1.0);
}

TEST_CASE("whatever the form in which a plan runs, its bits are the same") {
  std::string text = kEncoder;  // wide enough for products of several panels
  for (std::size_t at = 0; (at = text.find("36", at)) != std::string::npos;) text.replace(at, 2, "200");
  for (const std::string output : {"z", "unit", "first"}) {  // a row a token, a row a sequence, of first rows
    const Graph graph = encoder_with_output(output, text);
    const Tensors tensors = random_tensors(graph, 11);
    const WeightFolder folder = write(graph, tensors);
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::f32}) {
      for (const std::vector<int>& lengths : {kLengths, {1}, {40}, std::vector<int>(30, 7)}) {
        const DoubleInputs inputs = random_inputs(lengths, 12);
        const std::vector<float> expected =
            run(graph, folder.weights(), inputs,
                {format, {}, 1, &kernels::best_set(), runtime::RunChoice{runtime::RunForm::rows, 1, 0}});
        REQUIRE(largest_difference(expected, run_in_double(graph, tensors, inputs)) <= 0.15);
        for (const int threads : {2, 5}) {
          for (const runtime::RunChoice& choice : {runtime::RunChoice{runtime::RunForm::groups, threads, 32},
                                                   {runtime::RunForm::groups, threads, 60},
                                                   {runtime::RunForm::rows, threads, 0},
                                                   {runtime::RunForm::columns, threads, 0}}) {
            INFO(output << ", form " << static_cast<int>(choice.form) << ", threads " << threads
                        << ", sequences " << lengths.size());
            REQUIRE(run(graph, folder.weights(), inputs,
                        {format, {}, threads, &kernels::best_set(), choice}) == expected);
          }
        }
      }
    }
  }
}

TEST_CASE("what a cls pool does not read changes no bit, on any instruction set and thread count") {
  for (const std::string output : {"first", "first_unit"}) {
    const Graph graph =
        encoder_with_output(output, kEncoder + "%first_unit : f32[sequences,24] = l2_normalize(%first)\n");
    const Tensors tensors = random_tensors(graph, 11);
    const WeightFolder folder = write(graph, tensors);
    const DoubleInputs inputs = random_inputs(kLengths, 12);
    REQUIRE(largest_difference(run(graph, folder.weights(), inputs, {WeightFormat::f32, {}}),
                               run_in_double(graph, tensors, inputs)) <= 2e-5);
    const std::vector<float> expected = run(graph, folder.weights(), inputs,
                                            {WeightFormat::int8, kUnpruned, 1, &kernels::find_set("scalar")});
    REQUIRE(expected.size() == kLengths.size() * 24);
    for (const kernels::RegisteredSet& entry : kernels::registered_sets()) {
      if (!entry.runnable) continue;
      for (const int threads : {1, 2, 5}) {
        for (const std::set<std::string, std::less<>>& disabled :
             {std::set<std::string, std::less<>>{}, {"merge_qkv"}}) {
          INFO(entry.set->name << ", threads " << threads << ", disabled " << disabled.size());
          REQUIRE(run(graph, folder.weights(), inputs, {WeightFormat::int8, disabled, threads, entry.set}) ==
                  expected);
        }
      }
    }
  }
}

TEST_CASE("each step passes over rows as often as the plan says, and no wide row exists as floats") {
  std::string text = kEncoder;  // an FFN of three blocks of codes
  for (std::size_t at = 0; (at = text.find("37", at)) != std::string::npos; at += 4)
    text.replace(at, 2, "1040");
  Graph graph = encoder_with_output("z", text);
  const Tensors tensors = random_tensors(graph, 12);
  const WeightFolder folder = write(graph, tensors);
  const DoubleInputs inputs = random_inputs({40, 33, 40, 40, 7}, 13);
  const kernels::KernelSet set = counted(kernels::best_set());
  for (const runtime::RunForm form :
       {runtime::RunForm::groups, runtime::RunForm::rows, runtime::RunForm::columns}) {
    counts = {};
    run(graph, folder.weights(), inputs, {WeightFormat::int8, {}, 1, &set, runtime::RunChoice{form, 1, 64}});
    const RowCounts found = counts;

    graph::PassRun passes;
    passes.settings.weights = WeightFormat::int8;
    Graph planned = graph;
    graph::run_passes(planned, passes);
    const runtime::Scheduler scheduler(1);
    runtime::LoweringOptions options;
    options.kernels = &set;
    options.max_tokens = static_cast<int>(inputs.ids.size());
    options.longest = 40;
    const runtime::LoweredModel model = runtime::lower(planned, folder.weights(), options, scheduler);
    std::map<std::string, double> reads, writes;  // by op
    double wide_floats = 0;
    for (const runtime::Stage& stage : model.plan.stages) {
      for (const runtime::Step& step : stage.steps) {
        const std::string op = step.description.op.substr(0, step.description.op.find('+'));
        for (const runtime::RowPass& pass : step.description.passes) {
          const double bytes = static_cast<double>(pass.row_bytes * inputs.ids.size());
          (pass.writes ? writes : reads)[op + (pass.codes && pass.writes ? ".codes" : "")] += bytes;
          if (!pass.codes && pass.row_bytes >= 1040 * 4) wide_floats += bytes;
        }
      }
    }
    INFO("form " << static_cast<int>(form));
    CHECK(wide_floats == 0);
    CHECK(found.product_reads == Approx(reads["linear"]));
    CHECK(found.product_writes - found.activated_reads == Approx(writes["linear"]));
    CHECK(found.activated_writes == Approx(writes["linear.codes"]));
    CHECK(found.quantize_reads == Approx(reads["quantize_rows"]));
    CHECK(found.quantize_writes == Approx(writes["quantize_rows.codes"]));
    CHECK(found.norm_reads == Approx(reads["layernorm"]));
    // The last norm writes the caller's rows, which have no padding.
    CHECK(found.norm_writes - 4 * 8 * static_cast<double>(inputs.ids.size()) ==
          Approx(writes["layernorm"] + writes["layernorm.codes"]));
    CHECK(found.attention_writes == Approx(writes["attention"] * 24 / 32));
  }
}

TEST_CASE("a linear without a format is refused in a sentence that names the pass") {
  const Graph graph = encoder_with_output("unit");
  const WeightFolder folder = write(graph, random_tensors(graph, 9));
  const auto failure = failure_of([&] {
    run(graph, folder.weights(), random_inputs({2}, 1), {WeightFormat::int8, {"assign_formats"}});
  });
  REQUIRE(failure.code == ErrorCode::bad_input);
  REQUIRE(failure.sentence == "a linear has no weight format: the pass assign_formats is needed");
}

TEST_CASE("a graph of two outputs is refused") {
  const Graph graph = graph::parse(kEncoder + "output o = %unit\noutput p = %z\n");
  const WeightFolder folder = write(graph, random_tensors(graph, 9));
  const auto failure = failure_of([&] { run(graph, folder.weights(), random_inputs({2}, 1), {}); });
  REQUIRE(failure.code == ErrorCode::unsupported_model);
  REQUIRE(failure.sentence == "graph small: expected one output, found 2");
}

TEST_CASE("an input that no batch has is refused") {
  std::string text = kEncoder;
  for (std::size_t at = 0; (at = text.find("%types", at)) != std::string::npos;)
    text.replace(at, 6, "%kinds");
  const Graph graph = encoder_with_output("unit", text);
  const WeightFolder folder = write(graph, random_tensors(graph, 9));
  const auto failure = failure_of([&] { run(graph, folder.weights(), random_inputs({2}, 1), {}); });
  REQUIRE(failure.code == ErrorCode::unsupported_model);
  REQUIRE(failure.sentence == "graph small: expected the inputs ids, positions and types, found %kinds");
}

TEST_CASE("a weight or bias that is not finite is an error that names its own tensor, merged or not") {
  const Graph graph = encoder_with_output("unit");
  for (const std::string name : {"wq", "wk", "wv", "w2", "bq", "bv", "b1"}) {
    Tensors tensors = random_tensors(graph, 10);
    tensors.at(name).back() = std::numeric_limits<float>::quiet_NaN();
    const WeightFolder folder = write(graph, tensors);
    for (const std::set<std::string, std::less<>>& disabled :
         {std::set<std::string, std::less<>>{}, {"merge_qkv"}}) {
      const auto failure = failure_of([&] {
        run(graph, folder.weights(), random_inputs({2}, 1), {WeightFormat::int8, disabled});
      });
      INFO(failure.sentence);
      REQUIRE(failure.code == ErrorCode::unsupported_model);
      REQUIRE(failure.sentence.find("tensor \"" + name + "\"") != std::string::npos);
      REQUIRE(failure.sentence.find(std::string("found NaN or infinity in row ") +
                                    (name == "b1" ? "36" : "23")) != std::string::npos);
    }
  }
}
