// Every folder of test/golden/families: another family is another folder there, and no line here.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr double kClose = 2e-5;
/// Of a folder's tokens: twice the loss that was measured where it is greatest. A product of 8-bit rows and
/// weights of normal values loses about 3.5e-5 of cosine: steps of 0.02 of their deviation, whose error is
/// 1/√12 of a step, in each of both; a folder has 8 to 32 of them in a row.
struct LeastCosines {
  double mean, least;
};
// electra-5 has a mean of 0.99949; deberta-v2, with codes for its positions' terms as well, a least of
// 0.99547.
constexpr LeastCosines kPlain = {0.9989, 0.9909};
// A gate's products of two normal values have longer tails, so that a block's range is wider for the same
// values: nomic-bert-options has a mean of 0.99742, modernbert-5 a least of 0.98330.
constexpr LeastCosines kGated = {0.9948, 0.9666};

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / "families"))
    names.push_back("families/" + entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct Golden {
  explicit Golden(const std::string& folder)
      : folder(golden_folder() / folder / "golden"),
        inputs(read_sequences(this->folder / "ids.jsonl")),
        hidden(read_npy(this->folder / "hidden.npy")) {}

  std::filesystem::path folder;
  Sequences inputs;
  Matrix hidden;
};

LoadOptions tokens_in(Weights weights) {
  LoadOptions options;
  options.weights = weights;
  options.output = Output::tokens;
  options.normalize = false;
  options.threads = 2;
  return options;
}

/// Sequence `i` alone.
Sequences only(const Sequences& all, std::size_t i) {
  const auto begin = all.cu_seqlens[i], end = all.cu_seqlens[i + 1];
  return {{all.ids.begin() + begin, all.ids.begin() + end},
          {all.types.begin() + begin, all.types.begin() + end},
          {0, end - begin}};
}

std::vector<float> token_rows(const Model& model, const Sequences& inputs) {
  std::vector<float> rows(inputs.ids.size() * model.info().dimensions, NAN);
  model.encode_ids(inputs.ids, inputs.cu_seqlens, rows, inputs.types);
  return rows;
}

std::vector<float> token_rows_alone(const Model& model, const Sequences& inputs) {
  std::vector<float> rows;
  for (std::size_t i = 0; i < inputs.count(); ++i) {
    const std::vector<float> row = token_rows(model, only(inputs, i));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

/// Infinite where the sizes differ or a value is NaN.
double largest_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  if (found.size() != expected.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (std::isnan(difference)) return INFINITY;
    largest = std::max(largest, difference);
  }
  return largest;
}

/// Of the rows of single tokens with the reference's.
struct Cosines {
  double mean = 0, least = 1;
};

Cosines cosines(const std::vector<float>& found, const Matrix& expected) {
  Cosines result;
  for (std::size_t row = 0; row < expected.rows; ++row) {
    double product = 0, found_squares = 0, expected_squares = 0;
    for (std::size_t c = 0; c < expected.columns; ++c) {
      const double x = static_cast<double>(found[row * expected.columns + c]);
      const double y = static_cast<double>(expected.row(row)[c]);
      product += x * y, found_squares += x * x, expected_squares += y * y;
    }
    const double cosine = product / std::sqrt(found_squares * expected_squares);
    result.mean += cosine / static_cast<double>(expected.rows);
    // Not std::min, which a NaN passes.
    if (!(cosine >= result.least)) result.least = cosine;
  }
  return result;
}

/// The first row of each sequence, or the mean of its rows.
std::vector<float> pooled(const Golden& golden, Pooling pooling) {
  std::vector<float> rows;
  for (std::size_t i = 0; i < golden.inputs.count(); ++i) {
    const auto begin = static_cast<std::size_t>(golden.inputs.cu_seqlens[i]);
    const auto end =
        pooling == Pooling::cls ? begin + 1 : static_cast<std::size_t>(golden.inputs.cu_seqlens[i + 1]);
    for (std::size_t c = 0; c < golden.hidden.columns; ++c) {
      double sum = 0;
      for (std::size_t row = begin; row < end; ++row) sum += static_cast<double>(golden.hidden.row(row)[c]);
      rows.push_back(static_cast<float>(sum / static_cast<double>(end - begin)));
    }
  }
  return rows;
}

/// The column `op` of `nybble explain`, and a step's whole line.
struct PlanLine {
  std::string op, line;
};

std::vector<PlanLine> plan_lines(const Model& model) {
  std::vector<PlanLine> lines;
  std::istringstream text(model.explain());
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    int step = 0, stage = 0;
    std::string kind, op;
    if (words >> step >> stage >> kind >> op) lines.push_back({op, line});
  }
  return lines;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("there are golden folders of families") { REQUIRE(families().size() >= 10); }

TEST_CASE("FP32 gives every family's reference row of every token") {
  for (const std::string& folder : families()) {
    INFO(folder);
    const Golden golden(folder);
    const Model model = load_golden(folder, tokens_in(Weights::f32));
    REQUIRE(model.info().hidden == golden.hidden.columns);
    const double difference = largest_difference(token_rows(model, golden.inputs), golden.hidden.values);
    REQUIRE(difference <= kClose);
  }
}

TEST_CASE("FP32 gives every family's pooled rows, where a last layer makes first rows only, too") {
  for (const std::string& folder : families()) {
    const Golden golden(folder);
    for (const Pooling pooling : {Pooling::mean, Pooling::cls}) {
      INFO(folder << (pooling == Pooling::cls ? ", cls" : ", mean"));
      LoadOptions options = tokens_in(Weights::f32);
      options.output = Output::embedding;
      options.pooling = {pooling};
      const Model model = load_golden(folder, options);
      std::vector<float> rows(golden.inputs.count() * model.info().dimensions, NAN);
      model.encode_ids(golden.inputs.ids, golden.inputs.cu_seqlens, rows, golden.inputs.types);
      REQUIRE(largest_difference(rows, pooled(golden, pooling)) <= kClose);
    }
  }
}

TEST_CASE("every family's tokenizer makes the ids that the golden texts have") {
  for (const std::string& folder : families()) {
    const Golden golden(folder);
    const Model model = load_golden(folder);
    const std::vector<std::string> texts = read_lines(golden.folder / "texts.txt");
    const std::vector<std::string> lines = read_lines(golden.folder / "ids.jsonl");
    REQUIRE(texts.size() >= 2);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO(folder << ", text " << i);
      REQUIRE(model.tokenize(texts[i]).ids == numbers_of(lines[i], "ids"));
      REQUIRE(model.tokenize(texts[i]).type_ids == numbers_of(lines[i], "type_ids"));
    }
  }
}

TEST_CASE("INT8 gives every family the same bits in a batch and alone, with one thread and with two") {
  for (const std::string& folder : families()) {
    INFO(folder);
    const Golden golden(folder);
    LoadOptions options = tokens_in(Weights::int8);
    const Model model = load_golden(folder, options);
    const std::vector<float> rows = token_rows(model, golden.inputs);
    REQUIRE(same_bits(rows, token_rows_alone(model, golden.inputs)));
    options.threads = 1;
    REQUIRE(same_bits(rows, token_rows(load_golden(folder, options), golden.inputs)));
  }
}

TEST_CASE("INT8 gives every family the same bits on every instruction set") {
  for (const std::string& folder : families()) {
    const Golden golden(folder);
    std::vector<float> first;
    for (const std::string& isa : runnable_sets()) {
      INFO(folder << ", " << isa);
      LoadOptions options = tokens_in(Weights::int8);
      options.isa = isa;
      const std::vector<float> rows = token_rows(load_golden(folder, options), golden.inputs);
      if (first.empty()) first = rows;
      REQUIRE(same_bits(rows, first));
    }
  }
}

TEST_CASE("INT8 keeps the direction of every family's rows") {
  for (const std::string& folder : families()) {
    const Golden golden(folder);
    const Model model = load_golden(folder, tokens_in(Weights::int8));
    const Cosines found = cosines(token_rows(model, golden.inputs), golden.hidden);
    const LeastCosines& least = model.explain().find("gate_") == std::string::npos ? kPlain : kGated;
    INFO(folder << ": mean cosine " << found.mean << ", least " << found.least);
    REQUIRE(found.mean >= least.mean);
    REQUIRE(found.least >= least.least);
  }
}

TEST_CASE("INT8 embeds every family's texts, alone as together") {
  for (const std::string& folder : families()) {
    INFO(folder);
    const Model model = load_golden(folder);
    const std::vector<std::string> texts = texts_of(folder);
    const std::vector<float> rows = embed(model, texts);
    REQUIRE(std::all_of(rows.begin(), rows.end(), [](float value) { return std::isfinite(value); }));
    REQUIRE(same_bits(rows, embed_alone(model, texts)));
  }
}

TEST_CASE("layers that share weights hold them once") {
  // 70,656 weights of one layer and the embeddings' projection; four layers of their own would have 222,720.
  REQUIRE(load_golden("families/albert").info().linear_bytes < 120'000);
}

TEST_CASE("INT8 runs every family's plan in fused steps on integers") {
  for (const std::string& folder : families()) {
    const Model model = load_golden(folder);
    std::size_t attentions = 0, norms = 0;
    std::string before;
    for (const auto& [op, line] : plan_lines(model)) {
      INFO(folder << "\n" << line);
      const bool is_linear = op.starts_with("linear"), is_attention = op.starts_with("attention");
      // A bias or an activation is a part of its linear, and an activated row goes straight to codes.
      REQUIRE_FALSE(op.starts_with("add_bias"));
      REQUIRE_FALSE(op.starts_with("activation"));
      if (is_linear || is_attention) REQUIRE(contains(line, " int8 "));
      // Those of a convolution, whose rows have a step of their own before it, go to a norm instead.
      if (is_linear && contains(op, "elu") && before != "quantize_rows") REQUIRE(contains(op, "+quantize"));
      // What a norm makes is quantized by the norm.
      if (op == "quantize_rows") REQUIRE_FALSE(before.starts_with("layernorm"));
      attentions += is_attention;
      norms += op.starts_with("layernorm") && contains(op, "+quantize");
      before = op;
    }
    INFO(folder);
    REQUIRE(attentions >= model.info().layers);
    REQUIRE(norms >= model.info().layers);
  }
}

TEST_CASE("the figures of every folder, for bench/report_models", "[.figures]") {
  std::vector<std::string> folders = families();
  folders.insert(folders.begin(), "tiny-bert");
  for (const std::string& folder : folders) {
    const Golden golden(folder);
    const double error = largest_difference(
        token_rows(load_golden(folder, tokens_in(Weights::f32)), golden.inputs), golden.hidden.values);
    const Cosines found =
        cosines(token_rows(load_golden(folder, tokens_in(Weights::int8)), golden.inputs), golden.hidden);
    std::printf("figures %s %.9g %.9g %.9g\n", folder.c_str(), error, found.mean, found.least);
    REQUIRE(std::isfinite(error));
  }
}
