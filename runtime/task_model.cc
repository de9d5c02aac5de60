#include "runtime/task_model.h"

#include <exception>
#include <optional>

#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "runtime/task_folder.h"
#include "tokenizer/utf8.h"

namespace nybble::runtime {
namespace {

/// Valid UTF-8: the text itself, or what it is read as in `repaired`.
std::string_view read_text(std::string_view text, std::string& repaired, TaskTokens& tokens) {
  if (tokenizer::is_valid_utf8(text)) return text;
  tokenizer::RepairedText found = tokenizer::repair_utf8(text);
  ++tokens.invalid_texts;
  tokens.invalid_parts += found.replaced;
  repaired = std::move(found.text);
  return repaired;
}

TaskTokens tokenize(const LoadedModel& model, const TextOrPair& text, Truncate truncate) {
  TaskTokens tokens;
  std::string first_repaired, second_repaired;
  const std::string_view first = read_text(text.first, first_repaired, tokens);
  if (!text.second && truncate != Truncate::left) {
    tokens.is_cut = model.tokenizer->encode_ids(first, model.info.max_tokens, tokens.ids, tokens.types);
    return tokens;
  }
  tokenizer::Truncation how;
  how.max_tokens = model.info.max_tokens;
  how.overflow = false;
  if (truncate == Truncate::left) how.side = tokenizer::Truncation::Side::left;
  tokenizer::Encoding encoding =
      text.second ? model.tokenizer->encode_pair(first, read_text(*text.second, second_repaired, tokens), how)
                  : model.tokenizer->encode(first, how);
  tokens.is_cut = encoding.is_cut;
  tokens.ids = std::move(encoding.ids);
  tokens.types = std::move(encoding.type_ids);
  return tokens;
}

graph::ImportTarget import_target(graph::Head head, const std::vector<std::string>& labels) {
  graph::ImportTarget target;
  target.head = head;
  target.labels = static_cast<std::int64_t>(labels.size());
  return target;
}

}  // namespace

std::shared_ptr<TaskModel> load_task(const ModelFolder& folder, graph::Head head,
                                     const LoadOptions& options) {
  require_head(folder, Weights(folder.transformer_dir).tensor_table(), head);
  auto task = std::make_shared<TaskModel>();
  if (head != graph::Head::masked_lm) task->labels = read_labels(folder.config);
  task->model = load_model(folder, import_target(head, task->labels), options);
  task->kernels = &kernels::find_set(task->model->info.isa);
  return task;
}

void apply_scoring(const kernels::KernelSet& kernels, Scoring scoring, std::span<float> rows, std::size_t n) {
  if (rows.empty() || scoring == Scoring::none) return;
  const kernels::FloatEnvironment environment;
  const int m = static_cast<int>(rows.size() / n), columns = static_cast<int>(n);
  const auto stride = static_cast<std::ptrdiff_t>(n);
  if (scoring == Scoring::sigmoid) return kernels.sigmoid({rows.data(), stride, m, columns}, nullptr);
  kernels::SoftmaxArgs args{};
  args.x = rows.data();
  args.ld = stride;
  args.m = m;
  args.n = args.length = columns;
  args.window = -1;
  kernels.softmax(args);
}

Error too_long(std::size_t index, std::size_t max_tokens) {
  return Error(ErrorCode::too_long, "text " + std::to_string(index) + ": expected at most " +
                                        std::to_string(max_tokens) + " tokens, found more");
}

std::vector<TaskTokens> tokenize_texts(const LoadedModel& model, std::span<const TextOrPair> texts,
                                       Truncate truncate, std::size_t first) {
  std::vector<TaskTokens> tokens(texts.size());
  std::vector<std::exception_ptr> failures(texts.size());
  model.scheduler().parallel_for(static_cast<int>(texts.size()), [&](int i, int) {
    const auto index = static_cast<std::size_t>(i);
    try {
      tokens[index] = tokenize(model, texts[index], truncate);
      if (truncate == Truncate::error && tokens[index].is_cut)
        throw too_long(first + index, model.info.max_tokens);
    } catch (...) {
      failures[index] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return tokens;
}

void count(const TaskTokens& tokens, bool is_folded, EncodeReport& report) {
  if (tokens.invalid_texts > 0 && report.invalid_texts == 0) report.first_invalid = report.texts;
  ++report.texts;
  report.tokens += is_folded ? 0 : tokens.ids.size();
  report.folded += is_folded;
  report.cut += tokens.is_cut;
  report.invalid_texts += tokens.invalid_texts;
  report.invalid_parts += tokens.invalid_parts;
}

}  // namespace nybble::runtime
