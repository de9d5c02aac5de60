// MaskFiller: the rows of masks, and of no other token, go through the decoder.
#include <algorithm>
#include <numeric>

#include "nybble/error.h"
#include "runtime/mapped_file.h"
#include "runtime/sequence_runner.h"
#include "runtime/task_folder.h"
#include "runtime/task_model.h"

namespace nybble {
namespace {

using runtime::TaskModel;

/// The name of the mask token at `key`: a string, or an object with its content.
std::string mask_of(const runtime::JsonObject& config) {
  const auto found = config.value().find("mask_token");
  if (found == config.value().end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_object() || !found->contains("content") || !(*found)["content"].is_string()) return "";
  return (*found)["content"].get<std::string>();
}

/// As the folder's configuration names it, else the one that the families' tokenizers have.
std::string find_mask(const runtime::ModelFolder& folder, const tokenizer::Tokenizer& tokenizer) {
  std::vector<std::string> names;
  for (const char* file : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto path = folder.transformer_dir / file;
    if (runtime::is_present(path)) names.push_back(mask_of(runtime::read_json_object(path)));
  }
  names.insert(names.end(), {"[MASK]", "<mask>"});
  for (const std::string& name : names) {
    if (!name.empty() && tokenizer.id(name)) return name;
  }
  throw Error(ErrorCode::unsupported_model, folder.tokenizer_json.string() +
                                                ": expected a mask token, [MASK] or <mask> or the one that "
                                                "tokenizer_config.json names, found none");
}

std::vector<std::size_t> masks_of(const TaskModel& task, const runtime::TaskTokens& tokens,
                                  std::size_t index) {
  std::vector<std::size_t> masks;
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    if (tokens.ids[i] == task.mask_id) masks.push_back(i);
  }
  if (!masks.empty()) return masks;
  throw Error(ErrorCode::bad_input,
              "text " + std::to_string(index) + ": expected a mask, " + task.mask_token + ", found none");
}

/// One text's masks, and the rows of their predictions.
struct MaskedText {
  runtime::TaskTokens tokens;
  std::vector<std::size_t> masks;
  std::vector<float> rows;
};

Filling filling_of(const TaskModel& task, const MaskedText& text, std::size_t mask, const Ranked& rank) {
  const tokenizer::Tokenizer& tokenizer = *task.model->tokenizer;
  Filling filling;
  filling.id = static_cast<std::int32_t>(rank.index);
  filling.score = rank.score;
  filling.token = tokenizer.decode({&filling.id, 1}, false);
  std::vector<std::int32_t> ids = text.tokens.ids;
  ids[text.masks[mask]] = filling.id;
  // Other masks are special tokens, and would be missed.
  filling.sequence = tokenizer.decode(ids, text.masks.size() == 1);
  return filling;
}

std::vector<std::vector<Filling>> fill_masks(const TaskModel& task, const MaskedText& text, std::size_t top_k,
                                             const EncodeOptions& options) {
  runtime::RowDecoder& decoder = *task.model->row_decoder;
  const std::size_t vocabulary = decoder.output_columns(), width = decoder.input_columns();
  std::vector<float> logits(vocabulary);
  std::vector<std::vector<Filling>> masks;
  for (std::size_t i = 0; i < text.masks.size(); ++i) {
    decoder.run(std::span(text.rows).subspan(i * width, width), logits, options);
    runtime::apply_scoring(*task.kernels, Scoring::softmax, logits, vocabulary);
    std::vector<Filling>& fillings = masks.emplace_back();
    for (const Ranked& rank : rank_scores(logits, top_k)) fillings.push_back(filling_of(task, text, i, rank));
  }
  return masks;
}

std::vector<MaskedText> tokenize(const TaskModel& task, std::span<const std::string_view> texts) {
  std::vector<TextOrPair> singles;
  for (const std::string_view text : texts) singles.push_back({text, {}});
  std::vector<MaskedText> result;
  for (runtime::TaskTokens& tokens : runtime::tokenize_texts(*task.model, singles, Truncate::error, 0)) {
    std::vector<std::size_t> masks = masks_of(task, tokens, result.size());
    result.push_back({std::move(tokens), std::move(masks), {}});
  }
  return result;
}

}  // namespace

MaskFiller MaskFiller::load(std::string_view model, const LoadOptions& options) {
  const auto folder = runtime::read_task_folder(runtime::resolve_model(model));
  auto task = runtime::load_task(folder, graph::Head::masked_lm, options);
  task->mask_token = find_mask(folder, *task->model->tokenizer);
  task->mask_id = *task->model->tokenizer->id(task->mask_token);
  MaskFiller result;
  result.impl_ = std::move(task);
  return result;
}

const ModelInfo& MaskFiller::info() const { return impl_->model->info; }
const std::string& MaskFiller::mask_token() const { return impl_->mask_token; }

std::vector<std::vector<std::vector<Filling>>> MaskFiller::fill(std::span<const std::string_view> texts,
                                                                std::size_t top_k,
                                                                const EncodeOptions& options) const {
  const TaskModel& task = *impl_;
  std::vector<MaskedText> read = tokenize(task, texts);
  const std::size_t width = task.model->row_decoder->input_columns();
  runtime::SequenceRunner runner(task, options, [&](std::size_t i, std::span<const float> rows) {
    for (const std::size_t mask : read[i].masks) {
      const auto row = rows.subspan(mask * width, width);
      read[i].rows.insert(read[i].rows.end(), row.begin(), row.end());
    }
  });
  for (const MaskedText& text : read) runner.add(text.tokens.ids, text.tokens.types);
  runner.finish();
  std::vector<std::vector<std::vector<Filling>>> result;
  for (const MaskedText& text : read) result.push_back(fill_masks(task, text, top_k, options));
  return result;
}

}  // namespace nybble
