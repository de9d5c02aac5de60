// Classification and reranking against what transformers' pipelines and a CrossEncoder answer.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "task_goldens.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr float kClose = 1e-4F;
// Two layers of random weights on 8 bits: the largest difference of a score (0.021 measured).
constexpr float kCloseInt8 = 0.05F;

const std::map<std::string, Scoring> kScorings = {
    {"softmax", Scoring::softmax}, {"sigmoid", Scoring::sigmoid}, {"none", Scoring::none}};

struct Example {
  std::string first, second;
  bool is_pair = false;
  Scoring scoring = Scoring::none;
  std::vector<std::pair<std::string, float>> expected;  ///< the highest score first

  TextOrPair text() const {
    return {first, is_pair ? std::optional<std::string_view>(second) : std::nullopt};
  }
};

std::vector<Example> read_examples(const std::string& folder) {
  std::vector<Example> examples;
  for (const auto& row : read_json_lines(task_folder(folder) / "golden/classify.jsonl")) {
    Example example;
    example.first = row["text"];
    example.is_pair = row.contains("text_pair");
    if (example.is_pair) example.second = row["text_pair"];
    example.scoring = kScorings.at(row["function"]);
    for (const auto& label : row["labels"]) example.expected.emplace_back(label["label"], label["score"]);
    examples.push_back(std::move(example));
  }
  return examples;
}

std::vector<float> scores_of(const Classifier& classifier, const Example& example) {
  std::vector<float> scores(classifier.labels().size());
  const TextOrPair text = example.text();
  classifier.classify({&text, 1}, scores, example.scoring);
  return scores;
}

std::string load_error(const std::string& folder) {
  try {
    Classifier::load(folder);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported_model);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("labels and their scores are those of the text-classification pipeline") {
  for (const std::string folder : {"bert", "roberta"}) {
    const Classifier classifier = Classifier::load(task_folder(folder).string(), task_options(Weights::f32));
    CHECK(classifier.scoring() == Scoring::softmax);
    for (const Example& example : read_examples(folder)) {
      INFO(folder << ": " << example.first);
      const std::vector<float> scores = scores_of(classifier, example);
      const std::vector<Ranked> ranks = rank_scores(scores);
      REQUIRE(ranks.size() == example.expected.size());
      for (std::size_t i = 0; i < ranks.size(); ++i) {
        CHECK(classifier.labels()[ranks[i].index] == example.expected[i].first);
        CHECK(std::fabs(ranks[i].score - example.expected[i].second) <= kClose);
      }
    }
  }
}

TEST_CASE("in 8 bits the scores of labels stay close to the pipeline's") {
  float largest = 0;
  for (const std::string folder : {"bert", "roberta"}) {
    const Classifier classifier = Classifier::load(task_folder(folder).string(), task_options(Weights::int8));
    for (const Example& example : read_examples(folder)) {
      if (example.scoring == Scoring::none) continue;
      const std::vector<float> scores = scores_of(classifier, example);
      for (const auto& [label, score] : example.expected) {
        const auto found = std::find(classifier.labels().begin(), classifier.labels().end(), label);
        const float difference =
            std::fabs(scores[static_cast<std::size_t>(found - classifier.labels().begin())] - score);
        if (!(difference <= largest)) largest = difference;
      }
    }
  }
  CAPTURE(largest);
  CHECK(largest <= kCloseInt8);
}

TEST_CASE("the scores of a text are the same bits alone and in a batch, on one thread and on two") {
  for (const Weights weights : {Weights::int8}) {
    const std::string folder = task_folder("bert").string();
    const Classifier one = Classifier::load(folder, task_options(weights, 1));
    const Classifier two = Classifier::load(folder, task_options(weights, 2));
    const std::vector<Example> examples = read_examples("bert");
    std::vector<TextOrPair> texts;
    for (const Example& example : examples) texts.push_back(example.text());
    std::vector<float> batch(texts.size() * one.labels().size()), other(batch.size());
    const EncodeReport report = one.classify(texts, batch);
    CHECK(report.texts == texts.size());
    two.classify(texts, other);
    CHECK(batch == other);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<float> alone(one.labels().size());
      one.classify({&texts[i], 1}, alone);
      CHECK(std::equal(alone.begin(), alone.end(), batch.begin() + static_cast<long>(i * alone.size())));
    }
  }
}

TEST_CASE("equal texts, and equal pairs, of a call are computed once, in whatever batch they come") {
  LoadOptions options = task_options(Weights::int8);
  options.batch_tokens = 16;
  const Classifier classifier = Classifier::load(task_folder("bert").string(), options);
  const std::vector<TextOrPair> texts = {{"null device", {}},  {"a data sink", {}},
                                         {"dumped core", {}},  {"null device", "a data sink"},
                                         {"null  device", {}}, {"null device", "a data sink"},
                                         {"dumped core", "."}, {"dumped core", {}}};
  const std::size_t labels = classifier.labels().size();
  std::vector<float> scores(texts.size() * labels), alone(labels);
  const EncodeReport report = classifier.classify(texts, scores);
  CHECK(report.texts == 8);
  CHECK(report.folded == 3);
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const EncodeReport one = classifier.classify({&texts[i], 1}, alone);
    CHECK(std::equal(alone.begin(), alone.end(), scores.begin() + static_cast<long>(i * labels)));
    if (i < 4 || i == 6) tokens += one.tokens;
  }
  CHECK(report.tokens == tokens);
}

TEST_CASE("the scoring follows problem_type, and without it the number of labels") {
  ChangedFolder folder("bert");
  const auto scoring = [&](const nlohmann::json& type) {
    folder.change("config.json", [&](nlohmann::json& config) { config["problem_type"] = type; });
    return Classifier::load(folder.path()).scoring();
  };
  CHECK(scoring("multi_label_classification") == Scoring::sigmoid);
  CHECK(scoring("regression") == Scoring::none);
  CHECK(scoring("single_label_classification") == Scoring::softmax);
  CHECK(scoring(nullptr) == Scoring::softmax);
  CHECK(Classifier::load(task_folder("rerank-bert").string()).scoring() == Scoring::sigmoid);
  folder.change("config.json", [](nlohmann::json& config) { config["problem_type"] = "ranking"; });
  CHECK(load_error(folder.path()) ==
        folder.path() +
            "/config.json: \"problem_type\": expected regression, single_label_classification or "
            "multi_label_classification, found \"ranking\"");
}

TEST_CASE("a text that is too long is cut, and counted") {
  const Classifier classifier = Classifier::load(task_folder("bert").string());
  CHECK(classifier.info().max_tokens == 76);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "core dump ";
  const std::vector<TextOrPair> texts = {{text, {}}, {"short", text}, {"short", {}}};
  std::vector<float> scores(3 * classifier.labels().size());
  const EncodeReport report = classifier.classify(texts, scores);
  CHECK(report.cut == 2);
  CHECK(report.tokens <= 76 * 2 + 10);
}

TEST_CASE(
    "a cross-encoder's texts are as long as its Transformer's configuration says, by any of its names") {
  ChangedFolder folder("rerank-bert");
  CHECK(Reranker::load(folder.path()).info().max_tokens == 76);
  folder.change("sentence_bert_config.json",
                [](nlohmann::json& config) { config["processor_kwargs"]["model_max_length"] = 50; });
  CHECK(Reranker::load(folder.path()).info().max_tokens == 50);
  folder.change("sentence_bert_config.json",
                [](nlohmann::json& config) { config = nlohmann::json::object(); });
  std::ofstream(folder.path() + "/sentence_roberta_config.json") << R"({"max_seq_length": 40})";
  const Reranker reranker = Reranker::load(folder.path());
  CHECK(reranker.info().max_tokens == 40);
  CHECK(reranker.info().max_tokens_source.find("sentence_roberta_config.json") != std::string::npos);
}

TEST_CASE("a score has room for each label of each text") {
  const Classifier classifier = Classifier::load(task_folder("bert").string());
  const TextOrPair text{"a", {}};
  std::vector<float> scores(4);
  CHECK_THROWS_WITH(classifier.classify({&text, 1}, scores),
                    "scores: expected room for 1 × 5 floats, found 4");
}

TEST_CASE("documents come in the order, and with the scores, of a CrossEncoder") {
  for (const std::string folder : {"rerank-bert", "rerank-xlm-roberta"}) {
    const Reranker reranker = Reranker::load(task_folder(folder).string(), task_options(Weights::f32));
    CHECK(reranker.scoring() == (folder == "rerank-bert" ? Scoring::none : Scoring::sigmoid));
    const auto golden = nlohmann::json::parse(read_bytes(task_folder(folder) / "golden/rank.json"));
    const auto documents = golden["documents"].get<std::vector<std::string>>();
    const std::vector<std::string_view> views(documents.begin(), documents.end());
    const std::string query = golden["query"];
    const std::vector<Ranked> ranks = reranker.rank(query, views);
    REQUIRE(ranks.size() == golden["ranks"].size());
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      INFO(folder << ", rank " << i);
      CHECK(ranks[i].index == golden["ranks"][i]["corpus_id"].get<std::size_t>());
      CHECK(std::fabs(ranks[i].score - golden["ranks"][i]["score"].get<float>()) <= kClose);
    }
    CHECK(reranker.rank(query, views, 2).size() == 2);
    CHECK(reranker.rank(query, views, 2)[1].index == ranks[1].index);
  }
}

TEST_CASE("in 8 bits documents keep the order, and nearly the scores, of a CrossEncoder") {
  // A logit of the first folder's moves by 0.056 at most, a sigmoid of the other's by 0.008.
  for (const auto& [folder, bound] :
       std::map<std::string, float>{{"rerank-bert", 0.12F}, {"rerank-xlm-roberta", 0.02F}}) {
    INFO(folder);
    const Reranker reranker = Reranker::load(task_folder(folder).string(), task_options(Weights::int8));
    const auto golden = nlohmann::json::parse(read_bytes(task_folder(folder) / "golden/rank.json"));
    const auto documents = golden["documents"].get<std::vector<std::string>>();
    const std::vector<std::string_view> views(documents.begin(), documents.end());
    const std::vector<Ranked> ranks = reranker.rank(golden["query"].get<std::string>(), views);
    REQUIRE(ranks.size() == golden["ranks"].size());
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      CHECK(ranks[i].index == golden["ranks"][i]["corpus_id"].get<std::size_t>());
      CHECK(std::fabs(ranks[i].score - golden["ranks"][i]["score"].get<float>()) <= bound);
    }
  }
}

TEST_CASE("the activation of a cross-encoder stands where its version wrote it") {
  ChangedFolder folder("rerank-bert");
  const auto scoring = [&] { return Reranker::load(folder.path()).scoring(); };
  folder.remove("config_sentence_transformers.json");
  CHECK(scoring() == Scoring::sigmoid);
  folder.change("config.json", [](nlohmann::json& config) {
    config["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity";
  });
  CHECK(scoring() == Scoring::none);
  folder.change("config.json", [](nlohmann::json& config) {
    config["sentence_transformers"] = {{"activation_fn", "torch.nn.modules.activation.Sigmoid"}};
  });
  CHECK(scoring() == Scoring::sigmoid);
  folder.change("config.json", [](nlohmann::json& config) {
    config["sentence_transformers"] = {{"activation_fn", "torch.nn.modules.activation.Tanh"}};
  });
  CHECK_THROWS_WITH(Reranker::load(folder.path()),
                    folder.path() +
                        "/config.json: sentence_transformers: \"activation_fn\": expected torch's "
                        "Sigmoid or Identity, found \"torch.nn.modules.activation.Tanh\"");
}

TEST_CASE("rank_scores puts the higher first, of equal ones the first, and NaN last") {
  const std::vector<float> scores = {0.5F, NAN, 0.75F, 0.5F, -INFINITY};
  std::vector<std::size_t> order;
  for (const Ranked& rank : rank_scores(scores)) order.push_back(rank.index);
  CHECK(order == std::vector<std::size_t>{2, 0, 3, 4, 1});
  CHECK(rank_scores(scores, 1).size() == 1);
  CHECK(rank_scores({}, 3).empty());
}

TEST_CASE("a folder without the head says what it has, and which command serves that") {
  const std::string embedding = (golden_folder() / "tiny-bert").string();
  CHECK(load_error(embedding) ==
        embedding +
            ": expected a model with the tensor classifier.weight and the architecture "
            "…ForSequenceClassification for sequence classification, found none; nybble embed serves "
            "encoders without a head");
  ChangedFolder folder("bert");
  folder.change("config.json",
                [](nlohmann::json& config) { config["architectures"] = {"BertForTokenClassification"}; });
  CHECK(load_error(folder.path()) ==
        folder.path() +
            ": expected a model with the tensor classifier.weight and the architecture "
            "…ForSequenceClassification for sequence classification, found one for token "
            "classification, which nybble ner serves");
  CHECK_THROWS_WITH(Reranker::load(task_folder("bert").string()),
                    task_folder("bert").string() +
                        "/config.json: expected one label for reranking, found 5; nybble classify serves "
                        "them");
}

TEST_CASE("a classifier's tensor must have a row a label") {
  ChangedFolder folder("bert");
  folder.change("config.json", [](nlohmann::json& config) { config["id2label"].erase("4"); });
  CHECK(load_error(folder.path()) ==
        folder.path() +
            "/model.safetensors: tensor classifier.weight: expected shape [4, 40], found [5, 40]");
  folder.change("config.json", [](nlohmann::json& config) { config["id2label"].erase("0"); });
  CHECK(load_error(folder.path()) ==
        folder.path() + "/config.json: \"id2label\": expected names for the ids 0 to 2, found an object");
}

TEST_CASE("a folder says which tasks it serves") {
  const auto names = [](const std::string& folder) {
    std::string all;
    for (const Task task : tasks_of(folder)) all += std::string(task_name(task)) + " ";
    return all;
  };
  CHECK(names((golden_folder() / "tiny-bert").string()) == "embed ");
  CHECK(names(task_folder("bert").string()) == "embed classify ner fill-mask ");
  CHECK(names(task_folder("rerank-bert").string()) == "classify rerank ");
  ChangedFolder folder("distilbert");
  folder.change("config.json", [](nlohmann::json& config) { config.erase("architectures"); });
  CHECK(names(folder.path()) == "embed classify ner fill-mask ");
}
