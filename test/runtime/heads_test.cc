// The logits of every family's heads, against transformers in double precision.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "task_goldens.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr double kClose = 1e-4;  // of a score; the logits' sizes are in the tens

const std::vector<std::string> kFamilies = {
    "bert",    "roberta",      "xlm-roberta",          "camembert",           "distilbert",      "electra",
    "albert",  "mpnet",        "deberta-v2",           "modernbert",          "modernbert-mean", "nomic-bert",
    "gte-new", "jina-bert-v2", "nomic-bert-published", "deberta-v2-published"};

struct Text {
  std::string first, second;
  bool is_pair = false;
};

TextOrPair input_of(const Text& text) {
  return {text.first, text.is_pair ? std::optional<std::string_view>(text.second) : std::nullopt};
}

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

/// How far scores are from the reference's, and how often theirs is the best one.
struct Difference {
  double largest = 0;
  int same_best = 0, count = 0;

  void add(double score, double expected) {
    const double difference = std::fabs(score - expected);
    if (!(difference <= largest)) largest = difference;
  }
  void operator+=(const Difference& other) {
    if (!(other.largest <= largest)) largest = other.largest;
    same_best += other.same_best;
    count += other.count;
  }
};

std::size_t best_of(const std::vector<double>& shares) {
  return static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
}

/// Of the shares of all labels of each text and pair.
Difference label_difference(const std::string& family, Weights weights) {
  const Classifier classifier = Classifier::load(task_folder(family).string(), task_options(weights));
  const Matrix expected = logits_of(family, "sequence");
  const std::vector<Text> texts = read_texts(family);
  Difference difference;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const TextOrPair text = input_of(texts[i]);
    std::vector<float> scores(expected.columns);
    classifier.classify({&text, 1}, scores, Scoring::softmax);
    const std::vector<double> shares = softmax(expected.row(i), expected.columns);
    for (std::size_t k = 0; k < scores.size(); ++k) difference.add(scores[k], shares[k]);
    difference.same_best += rank_scores(scores, 1)[0].index == best_of(shares);
    ++difference.count;
  }
  return difference;
}

/// Of the best label's share of each token.
Difference token_difference(const std::string& family, Weights weights) {
  const std::string folder = task_folder(family).string();
  const EntityRecognizer recognizer = EntityRecognizer::load(folder, task_options(weights));
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const Matrix expected = logits_of(family, "token");
  const std::vector<std::string>& labels = recognizer.labels();
  EntityOptions options;
  options.aggregation = Aggregation::none;
  options.ignored_labels = {};
  Difference difference;
  std::size_t first = 0;
  for (const Text& text : read_texts(family)) {
    if (text.is_pair) continue;
    const std::string_view view = text.first;
    const std::vector<Entity> entities = recognizer.entities({&view, 1}, options)[0];
    for (const Entity& entity : entities) {
      const std::vector<double> shares = softmax(expected.row(first + entity.token), expected.columns);
      const auto label =
          static_cast<std::size_t>(std::find(labels.begin(), labels.end(), entity.label) - labels.begin());
      difference.add(entity.score, shares.at(label));
      difference.same_best += label == best_of(shares);
      ++difference.count;
    }
    first += tokenizer.tokenize(text.first).ids.size();
  }
  CHECK(first == expected.rows);
  CHECK(difference.count > 100);
  return difference;
}

/// Of the shares of all tokens for each mask of the last text.
Difference mask_difference(const std::string& family, Weights weights) {
  const MaskFiller filler = MaskFiller::load(task_folder(family).string(), task_options(weights));
  const Matrix expected = logits_of(family, "masked");
  const std::string text = read_texts(family).back().first;
  const std::string_view view = text;
  const auto masks = filler.fill({&view, 1}, expected.columns)[0];
  REQUIRE(masks.size() == expected.rows);
  Difference difference;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::vector<double> shares = softmax(expected.row(i), expected.columns);
    REQUIRE(masks[i].size() == shares.size());
    for (const Filling& filling : masks[i])
      difference.add(filling.score, shares[static_cast<std::size_t>(filling.id)]);
    difference.same_best += static_cast<std::size_t>(masks[i][0].id) == best_of(shares);
    ++difference.count;
  }
  return difference;
}

constexpr std::pair<std::string_view, std::string_view> kPair = {"null device", "a data sink"};

std::vector<float> pair_row(const Model& model) {
  std::vector<float> row(model.info().dimensions);
  model.encode_pairs({&kPair, 1}, row);
  return row;
}

/// The row of the pair's ids, with the tokenizer's types or with zeros.
std::vector<float> ids_row(const Model& model, const std::string& folder, bool with_types) {
  const Tokens tokens = Tokenizer::load(folder).tokenize_pair(kPair.first, kPair.second);
  REQUIRE(std::find(tokens.type_ids.begin(), tokens.type_ids.end(), 1) != tokens.type_ids.end());
  const std::vector<std::int32_t> borders = {0, static_cast<std::int32_t>(tokens.ids.size())};
  std::vector<float> row(model.info().dimensions);
  model.encode_ids(
      tokens.ids, borders, row,
      with_types ? std::span<const std::int32_t>(tokens.type_ids) : std::span<const std::int32_t>());
  return row;
}

/// Numbers the texts of a pair as BERT's tokenizer does.
void number_texts(nlohmann::json& tokenizer) {
  const auto special = [](const char* token, int type) {
    return nlohmann::json{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto text = [](const char* name, int type) {
    return nlohmann::json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const auto token = [](const char* name, int id) {
    return nlohmann::json{{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  tokenizer["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {special("<s>", 0), text("A", 0), special("</s>", 0)}},
      {"pair", {special("<s>", 0), text("A", 0), special("</s>", 0), text("B", 1), special("</s>", 1)}},
      {"special_tokens", {{"<s>", token("<s>", 0)}, {"</s>", token("</s>", 2)}}}};
}

}  // namespace

TEST_CASE("a pair's token types are left out of embeddings where the model has one type or none") {
  ChangedFolder roberta("roberta");
  roberta.change("tokenizer.json", number_texts);
  for (const std::string& folder : {task_folder("distilbert").string(), roberta.path()}) {
    const Model model = Model::load(folder, task_options(Weights::int8));
    REQUIRE(model.info().token_types < 2);
    CHECK(pair_row(model) == ids_row(model, folder, false));
  }
}

TEST_CASE("a pair's token types go into embeddings where the tokenizer's class gives them to the model") {
  ChangedFolder folder("bert");
  const Model typed = Model::load(folder.path(), task_options(Weights::int8));
  CHECK(pair_row(typed) == ids_row(typed, folder.path(), true));
  folder.change("tokenizer_config.json", [](nlohmann::json& config) {
    config["model_input_names"] = {"input_ids", "attention_mask"};
  });
  const Model untyped = Model::load(folder.path(), task_options(Weights::int8));
  CHECK(pair_row(untyped) == ids_row(untyped, folder.path(), false));
  CHECK(pair_row(untyped) != pair_row(typed));
}

TEST_CASE("every family's head for sequences gives the reference's logits") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    const Classifier classifier = Classifier::load(task_folder(family).string(), task_options(Weights::f32));
    const std::vector<Text> texts = read_texts(family);
    const Matrix expected = logits_of(family, "sequence");
    REQUIRE(expected.rows == texts.size());
    REQUIRE(expected.columns == classifier.labels().size());
    std::vector<TextOrPair> inputs;
    for (const Text& text : texts) inputs.push_back(input_of(text));
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
    const Difference found = token_difference(family, Weights::f32);
    CHECK(found.largest <= kClose);
    CHECK(found.same_best == found.count);
  }
}

TEST_CASE("every family's masked language model gives the reference's shares of all tokens") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    CHECK(mask_difference(family, Weights::f32).largest <= kClose);
  }
}

// Random weights make every layer's noise count: trained models move less.
TEST_CASE("in 8 bits every family's heads stay close to the reference") {
  Difference labels, tokens, masks;
  for (const std::string& family : kFamilies) {
    INFO(family);
    labels += label_difference(family, Weights::int8);
    tokens += token_difference(family, Weights::int8);
    masks += mask_difference(family, Weights::int8);
  }
  CAPTURE(labels.largest, labels.same_best, labels.count);
  CAPTURE(tokens.largest, tokens.same_best, tokens.count);
  CAPTURE(masks.largest, masks.same_best, masks.count);
  CHECK(labels.largest <= 0.1);
  CHECK(labels.same_best == labels.count);
  CHECK(tokens.largest <= 0.3);
  CHECK(tokens.same_best >= 0.95 * tokens.count);
  CHECK(masks.largest <= 0.1);
  CHECK(masks.same_best >= 0.8 * masks.count);
}
