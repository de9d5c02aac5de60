// Times calls of a task on one thread, for bench/report_tasks.
//
//   task_speed TASK FOLDER WEIGHTS
//
// TASK is rerank, classify or ner. Prints {"ready":true}; each line of stdin is a JSON array of texts, of
// rerank the query first, and is answered with {"ms":…,"tokens":…}: from texts to scores or entities. Words
// of a line that cannot be run go to stderr and end the program.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nybble/tasks.h"

namespace {

using Texts = std::span<const std::string_view>;
/// Runs a call, and gives what shows that it is right: scores, or of each text the number of its entities.
using Call = std::function<std::vector<float>(Texts texts)>;

nybble::LoadOptions load_options(const std::string& weights) {
  nybble::LoadOptions options;
  options.threads = 1;
  for (const nybble::Weights each : nybble::kAllWeights) {
    if (nybble::weights_name(each) == weights) options.weights = each;
  }
  return options;
}

Call rerank(const std::string& folder, const nybble::LoadOptions& options) {
  return [reranker = nybble::Reranker::load(folder, options)](Texts texts) {
    std::vector<float> scores(texts.size() - 1);
    reranker.score(texts[0], texts.subspan(1), scores);
    return scores;
  };
}

Call classify(const std::string& folder, const nybble::LoadOptions& options) {
  return [classifier = nybble::Classifier::load(folder, options)](Texts texts) {
    std::vector<nybble::TextOrPair> singles;
    for (const std::string_view text : texts) singles.push_back({text, {}});
    std::vector<float> scores(texts.size() * classifier.labels().size());
    classifier.classify(singles, scores);
    return scores;
  };
}

Call recognize(const std::string& folder, const nybble::LoadOptions& options) {
  return [recognizer = nybble::EntityRecognizer::load(folder, options)](Texts texts) {
    nybble::EntityOptions how;
    how.truncate = nybble::Truncate::right;
    std::vector<float> counts;
    for (const auto& entities : recognizer.entities(texts, how))
      counts.push_back(static_cast<float>(entities.size()));
    return counts;
  };
}

Call call_of(const std::string& task, const std::string& folder, const nybble::LoadOptions& options) {
  if (task == "rerank") return rerank(folder, options);
  return task == "classify" ? classify(folder, options) : recognize(folder, options);
}

void answer(const std::string& line, const Call& call) {
  const auto texts = nlohmann::json::parse(line).get<std::vector<std::string>>();
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto start = std::chrono::steady_clock::now();
  const std::vector<float> found = call(views);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  std::cout << nlohmann::json{{"ms", spent.count()}, {"found", found}}.dump() << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "task_speed: expected TASK FOLDER WEIGHTS\n";
    return 2;
  }
  try {
    const Call call = call_of(arguments[1], arguments[2], load_options(arguments[3]));
    std::cout << "{\"ready\":true}" << std::endl;
    for (std::string line; std::getline(std::cin, line);) answer(line, call);
  } catch (const std::exception& error) {
    std::cerr << "task_speed: " << error.what() << '\n';
    return 1;
  }
}
