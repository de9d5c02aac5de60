// FP32 against the reference outputs of test/golden.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr float kClose = 2e-5f;

LoadOptions f32_options(Pooling pooling) {
  LoadOptions options;
  options.weights = Weights::f32;
  options.pooling = {pooling};
  options.normalize = false;
  options.threads = 2;
  return options;
}

float largest_difference(const std::vector<float>& found, const Matrix& expected) {
  if (found.size() != expected.values.size()) return INFINITY;
  float largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float difference = std::fabs(found[i] - expected.values[i]);
    // Not std::max, which a NaN passes.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

std::vector<float> encode(const Model& model, const Sequences& inputs, std::size_t rows) {
  std::vector<float> out(rows * model.info().dimensions, NAN);
  const EncodeReport report = model.encode_ids(inputs.ids, inputs.cu_seqlens, out, inputs.types);
  REQUIRE(report.texts == inputs.count());
  REQUIRE(report.tokens == inputs.ids.size());
  return out;
}

/// The folder whose weights, and so whose reference outputs, `folder` shares.
std::string original_of(const std::string& folder) {
  return folder.starts_with("micro-bert") ? "micro-bert" : folder;
}

const std::vector<std::string> kFolders = {"tiny-bert", "micro-bert", "micro-bert-f16", "micro-bert-bf16",
                                           "micro-bert-prefixed"};

}  // namespace

TEST_CASE("FP32 gives the reference's pooled rows, mean and cls, for every folder") {
  for (const std::string& folder : kFolders) {
    const auto golden = golden_folder() / original_of(folder) / "golden";
    const Sequences inputs = read_sequences(golden / "ids.jsonl");
    for (const Pooling pooling : {Pooling::mean, Pooling::cls}) {
      INFO(folder);
      const Model model = load_golden(folder, f32_options(pooling));
      const Matrix expected = read_npy(golden / (pooling == Pooling::mean ? "mean.npy" : "cls.npy"));
      REQUIRE(expected.rows == inputs.count());
      REQUIRE(largest_difference(encode(model, inputs, expected.rows), expected) <= kClose);
    }
  }
}

TEST_CASE("FP32 gives the reference's row of every token, for every folder") {
  for (const std::string& folder : kFolders) {
    INFO(folder);
    const auto golden = golden_folder() / original_of(folder) / "golden";
    LoadOptions options = f32_options(Pooling::mean);
    options.output = Output::tokens;
    const Sequences inputs = read_sequences(golden / "ids.jsonl");
    const Matrix expected = read_npy(golden / "hidden.npy");
    REQUIRE(expected.rows == inputs.ids.size());
    REQUIRE(largest_difference(encode(load_golden(folder, options), inputs, expected.rows), expected) <=
            kClose);
  }
}

TEST_CASE("FP32 gives the reference's rows on every instruction set") {
  const auto golden = golden_folder() / "tiny-bert/golden";
  const Sequences inputs = read_sequences(golden / "ids.jsonl");
  const Matrix expected = read_npy(golden / "mean.npy");
  for (const std::string& isa : runnable_sets()) {
    INFO(isa);
    LoadOptions options = f32_options(Pooling::mean);
    options.isa = isa;
    const Model model = load_golden("tiny-bert", options);
    REQUIRE(model.info().isa == isa);
    REQUIRE(largest_difference(encode(model, inputs, expected.rows), expected) <= kClose);
  }
}

TEST_CASE("texts become the ids of the reference, and their rows those of the ids") {
  for (const std::string& folder : {std::string("tiny-bert"), std::string("micro-bert")}) {
    const auto golden = golden_folder() / folder / "golden";
    const Model model = load_golden(folder, f32_options(Pooling::mean));
    const std::vector<std::string> texts = read_lines(golden / "texts.txt");
    const std::vector<std::string> lines = read_lines(golden / "ids.jsonl");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO(folder << ", text " << i);
      REQUIRE(model.tokenize(texts[i]).ids == numbers_of(lines[i], "ids"));
      REQUIRE(model.tokenize(texts[i]).type_ids == numbers_of(lines[i], "type_ids"));
    }
    const Matrix all = read_npy(golden / "mean.npy");
    const Matrix expected{
        texts.size(),
        all.columns,
        {all.values.begin(), all.values.begin() + static_cast<std::ptrdiff_t>(texts.size() * all.columns)}};
    REQUIRE(largest_difference(embed(model, texts), expected) <= kClose);
  }
}

TEST_CASE("a pair of texts has the reference's row") {
  const auto golden = golden_folder() / "tiny-bert/golden";
  const std::size_t index = read_lines(golden / "texts.txt").size();
  const Matrix expected = read_npy(golden / "mean.npy");
  const Model model = load_golden("tiny-bert", f32_options(Pooling::mean));
  const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{"null device", "a data sink"}};
  std::vector<float> row(model.info().dimensions);
  model.encode_pairs(pairs, row);
  REQUIRE(largest_difference(row, {1, expected.columns, {expected.row(index), expected.row(index + 1)}}) <=
          kClose);
}

TEST_CASE("without an option, pooling and normalization are those of modules.json") {
  for (const std::string& folder : {std::string("tiny-bert"), std::string("micro-bert")}) {
    INFO(folder);
    LoadOptions options;
    options.weights = Weights::f32;
    const Model model = load_golden(folder, options);
    REQUIRE(model.info().pooling == std::vector{folder == "tiny-bert" ? Pooling::mean : Pooling::cls});
    REQUIRE(model.info().normalize);
    const auto golden = golden_folder() / folder / "golden";
    const Sequences inputs = read_sequences(golden / "ids.jsonl");
    Matrix expected = read_npy(golden / (folder == "tiny-bert" ? "mean.npy" : "cls.npy"));
    for (std::size_t i = 0; i < expected.rows; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < expected.columns; ++c)
        sum += std::pow(static_cast<double>(expected.row(i)[c]), 2);
      for (std::size_t c = 0; c < expected.columns; ++c)
        expected.values[i * expected.columns + c] /= static_cast<float>(std::sqrt(sum));
    }
    REQUIRE(largest_difference(encode(model, inputs, expected.rows), expected) <= kClose);
  }
  REQUIRE_FALSE(load_golden("micro-bert-prefixed").info().normalize);
  REQUIRE(load_golden("micro-bert-prefixed").info().pooling == std::vector{Pooling::mean});
}

TEST_CASE("INT8 with any pass left out, but the one that says INT8, gives the same to the rounding of sums") {
  const std::vector<std::string> texts = read_lines(golden_folder() / "tiny-bert/golden/texts.txt");
  const std::vector<float> expected = embed(load_golden("tiny-bert"), texts);
  for (const std::string& pass : pass_names()) {
    if (pass == "assign_formats") continue;
    INFO("without " << pass);
    LoadOptions options;
    options.disabled_passes = {pass};
    const std::vector<float> found = embed(load_golden("tiny-bert", options), texts);
    // A different order of additions moves an activation over a rounding border now and then.
    REQUIRE(largest_difference(found, {texts.size(), 96, expected}) <= 0.02f);
  }
}

TEST_CASE("FP32 with any pass left out gives the rows of all passes") {
  const std::vector<std::string> texts = read_lines(golden_folder() / "tiny-bert/golden/texts.txt");
  const std::vector<float> expected = embed(load_golden("tiny-bert", f32_options(Pooling::mean)), texts);
  for (const std::string& pass : pass_names()) {
    if (pass == "assign_formats") continue;
    INFO("without " << pass);
    LoadOptions options = f32_options(Pooling::mean);
    options.disabled_passes = {pass};
    const Model model = load_golden("tiny-bert", options);
    REQUIRE(largest_difference(embed(model, texts), {texts.size(), 96, expected}) <= 1e-5f);
  }
}

TEST_CASE("FP32 with no pass but the one that says FP32 gives the rows of all passes") {
  const std::vector<std::string> texts = read_lines(golden_folder() / "tiny-bert/golden/texts.txt");
  const std::vector<float> expected = embed(load_golden("tiny-bert", f32_options(Pooling::mean)), texts);
  LoadOptions options = f32_options(Pooling::mean);
  for (const std::string& pass : pass_names()) {
    if (pass != "assign_formats") options.disabled_passes.push_back(pass);
  }
  const Model model = load_golden("tiny-bert", options);
  REQUIRE(model.graph().find("add_bias") != std::string::npos);
  REQUIRE(largest_difference(embed(model, texts), {texts.size(), 96, expected}) <= 1e-5f);
}

TEST_CASE("without assign_formats a model is refused in a sentence that names the pass") {
  for (const Weights weights : {Weights::int8, Weights::f32}) {
    LoadOptions options;
    options.weights = weights;
    options.disabled_passes = {"assign_formats"};
    REQUIRE_THROWS_WITH(load_golden("tiny-bert", options),
                        Catch::Contains("assign_formats") && Catch::Contains("no weight format"));
  }
}
