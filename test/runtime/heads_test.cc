// The logits of every family's heads, against transformers in double precision.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "task_goldens.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr double kClose = 1e-4;  // of a score; the logits' sizes are in the tens

const std::vector<std::string> kFamilies = {"bert",       "roberta",         "xlm-roberta", "distilbert",
                                            "electra",    "albert",          "mpnet",       "deberta-v2",
                                            "modernbert", "modernbert-mean", "nomic-bert"};

struct Text {
  std::string first, second;
  bool is_pair = false;
};

std::vector<Text> read_texts(const std::string& family) {
  std::vector<Text> texts;
  for (const auto& row : read_json_lines(task_folder(family) / "golden/texts.jsonl")) {
    Text text;
    text.first = row["text"];
    text.is_pair = row.contains("text_pair");
    if (text.is_pair) text.second = row["text_pair"];
    texts.push_back(std::move(text));
  }
  return texts;
}

Matrix logits_of(const std::string& family, const std::string& head) {
  return read_npy(task_folder(family) / "golden" / (head + ".npy"));
}

std::vector<double> softmax(const float* logits, std::size_t n) {
  std::vector<double> shares(n);
  const double most = *std::max_element(logits, logits + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += shares[i] = std::exp(logits[i] - most);
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace

TEST_CASE("every family's head for sequences gives the reference's logits") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    const Classifier classifier = Classifier::load(task_folder(family).string(), task_options(Weights::f32));
    const std::vector<Text> texts = read_texts(family);
    const Matrix expected = logits_of(family, "sequence");
    REQUIRE(expected.rows == texts.size());
    REQUIRE(expected.columns == classifier.labels().size());
    std::vector<TextOrPair> inputs;
    for (const Text& text : texts)
      inputs.push_back(
          {text.first, text.is_pair ? std::optional<std::string_view>(text.second) : std::nullopt});
    std::vector<float> found(expected.values.size());
    classifier.classify(inputs, found, Scoring::none);
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("text " << i / expected.columns);
      CHECK(std::fabs(found[i] - expected.values[i]) <= 2e-5 * std::max(1.0F, std::fabs(expected.values[i])));
    }
  }
}

TEST_CASE("every family's head for tokens gives the reference's labels and scores") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    const EntityRecognizer recognizer =
        EntityRecognizer::load(task_folder(family).string(), task_options(Weights::f32));
    const Tokenizer tokenizer = Tokenizer::load(task_folder(family).string());
    const Matrix expected = logits_of(family, "token");
    EntityOptions options;
    options.aggregation = Aggregation::none;
    options.ignored_labels = {};
    std::size_t first = 0;
    for (const Text& text : read_texts(family)) {
      if (text.is_pair) continue;
      const std::string_view view = text.first;
      const std::vector<Entity> entities = recognizer.entities({&view, 1}, options)[0];
      for (const Entity& entity : entities) {
        const std::vector<double> scores = softmax(expected.row(first + entity.token), expected.columns);
        const auto best = std::max_element(scores.begin(), scores.end());
        CHECK(entity.label == recognizer.labels()[static_cast<std::size_t>(best - scores.begin())]);
        CHECK(std::fabs(entity.score - *best) <= kClose);
      }
      first += tokenizer.tokenize(text.first).ids.size();
    }
    CHECK(first == expected.rows);
  }
}

TEST_CASE("every family's masked language model gives the reference's shares of all tokens") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    const MaskFiller filler = MaskFiller::load(task_folder(family).string(), task_options(Weights::f32));
    const Matrix expected = logits_of(family, "masked");
    const std::string text = read_texts(family).back().first;
    const std::string_view view = text;
    const auto masks = filler.fill({&view, 1}, expected.columns)[0];
    REQUIRE(masks.size() == expected.rows);
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const std::vector<double> shares = softmax(expected.row(i), expected.columns);
      REQUIRE(masks[i].size() == shares.size());
      double largest = 0;
      for (const Filling& filling : masks[i])
        largest = std::max(largest, std::fabs(filling.score - shares[static_cast<std::size_t>(filling.id)]));
      CHECK(largest <= kClose);
    }
  }
}
