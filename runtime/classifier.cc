// Classifier and Reranker: a row of logits a sequence.
#include <algorithm>
#include <numeric>

#include "nybble/error.h"
#include "runtime/sequence_runner.h"
#include "runtime/task_folder.h"
#include "runtime/task_model.h"

namespace nybble {
namespace {

using runtime::TaskModel;

// Texts tokenized together: enough for all threads, and few enough to be in memory beside what they become.
constexpr std::size_t kBlock = 1024;

void check_room(std::span<const float> scores, std::size_t texts, std::size_t labels) {
  if (scores.size() == texts * labels) return;
  throw Error(ErrorCode::bad_input, "scores: expected room for " + std::to_string(texts) + " × " +
                                        std::to_string(labels) + " floats, found " +
                                        std::to_string(scores.size()));
}

EncodeReport score_texts(const TaskModel& task, std::span<const TextOrPair> texts, std::span<float> scores,
                         Scoring scoring, const EncodeOptions& options) {
  const std::size_t labels = task.labels.size();
  check_room(scores, texts.size(), labels);
  EncodeReport report;
  const auto put = [&](std::size_t index, std::span<const float> row) {
    std::copy(row.begin(), row.end(), scores.begin() + static_cast<std::ptrdiff_t>(index * labels));
  };
  runtime::SequenceRunner runner(task, options, put);
  std::vector<std::size_t> computed;  // of each text the one whose scores it has
  for (std::size_t begin = 0; begin < texts.size(); begin += kBlock) {
    const auto block = texts.subspan(begin, std::min(kBlock, texts.size() - begin));
    for (const runtime::TaskTokens& tokens :
         runtime::tokenize_texts(*task.model, block, options.truncate, begin)) {
      computed.push_back(runner.add(tokens.ids, tokens.types));
      runtime::count(tokens, computed.back() != report.texts, report);
    }
  }
  runner.finish();
  for (std::size_t i = 0; i < computed.size(); ++i) {
    if (computed[i] != i) put(i, scores.subspan(computed[i] * labels, labels));
  }
  runtime::apply_scoring(*task.kernels, scoring, scores, labels);
  return report;
}

void require_one_label(const runtime::ModelFolder& folder) {
  const std::size_t labels = runtime::read_labels(folder.config).size();
  if (labels == 1) return;
  throw Error(ErrorCode::unsupported_model, folder.config.name() +
                                                ": expected one label for reranking, found " +
                                                std::to_string(labels) + "; nybble classify serves them");
}

}  // namespace

Classifier Classifier::load(std::string_view model, const LoadOptions& options) {
  const auto folder = runtime::read_task_folder(runtime::resolve_model(model));
  auto task = runtime::load_task(folder, graph::Head::sequence_classification, options);
  task->scoring = runtime::classifier_scoring(folder.config, task->labels.size());
  Classifier result;
  result.impl_ = std::move(task);
  return result;
}

const ModelInfo& Classifier::info() const { return impl_->model->info; }
const std::vector<std::string>& Classifier::labels() const { return impl_->labels; }
Scoring Classifier::scoring() const { return impl_->scoring; }

EncodeReport Classifier::classify(std::span<const TextOrPair> texts, std::span<float> scores,
                                  std::optional<Scoring> scoring, const EncodeOptions& options) const {
  return score_texts(*impl_, texts, scores, scoring.value_or(impl_->scoring), options);
}

Reranker Reranker::load(std::string_view model, const LoadOptions& options) {
  const auto folder = runtime::read_task_folder(runtime::resolve_model(model));
  runtime::require_head(folder, runtime::Weights(folder.transformer_dir).tensor_table(),
                        graph::Head::sequence_classification);
  require_one_label(folder);
  auto task = runtime::load_task(folder, graph::Head::sequence_classification, options);
  task->scoring = runtime::cross_encoder_scoring(folder);
  Reranker result;
  result.impl_ = std::move(task);
  return result;
}

const ModelInfo& Reranker::info() const { return impl_->model->info; }
Scoring Reranker::scoring() const { return impl_->scoring; }

EncodeReport Reranker::score(std::string_view query, std::span<const std::string_view> documents,
                             std::span<float> scores, std::optional<Scoring> scoring,
                             const EncodeOptions& options) const {
  std::vector<TextOrPair> pairs;
  pairs.reserve(documents.size());
  for (const std::string_view document : documents) pairs.push_back({query, document});
  return score_texts(*impl_, pairs, scores, scoring.value_or(impl_->scoring), options);
}

std::vector<Ranked> Reranker::rank(std::string_view query, std::span<const std::string_view> documents,
                                   std::size_t top_k, const EncodeOptions& options) const {
  std::vector<float> scores(documents.size());
  score(query, documents, scores, {}, options);
  return rank_scores(scores, top_k);
}

std::vector<Ranked> rank_scores(std::span<const float> scores, std::size_t top_k) {
  std::vector<Ranked> ranks(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) ranks[i] = {i, scores[i]};
  // NaN, which compares with nothing, goes last.
  const auto before = [](const Ranked& a, const Ranked& b) {
    if (a.score > b.score) return true;
    if (a.score < b.score) return false;
    const bool a_is_nan = a.score != a.score, b_is_nan = b.score != b.score;
    return a_is_nan != b_is_nan ? b_is_nan : a.index < b.index;
  };
  const std::size_t count = top_k == 0 ? ranks.size() : std::min(top_k, ranks.size());
  std::partial_sort(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(count), ranks.end(), before);
  ranks.resize(count);
  return ranks;
}

}  // namespace nybble
