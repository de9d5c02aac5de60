// MaskFiller: the rows of masks, and of no other token, go through the decoder.
#include <algorithm>
#include <numeric>

#include "nybble/error.h"
#include "runtime/mapped_file.h"
#include "runtime/sequence_runner.h"
#include "runtime/task_folder.h"
#include "runtime/task_model.h"
#include "runtime/text_tokens.h"

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

std::vector<std::size_t> masks_of(const TaskModel& task, std::span<const std::int32_t> ids) {
  std::vector<std::size_t> masks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == task.mask_id) masks.push_back(i);
  }
  return masks;
}

/// One text's masks, and the rows of their predictions.
struct MaskedText {
  runtime::TaskTokens tokens;
  std::vector<std::size_t> masks;
  std::vector<float> rows;
  std::size_t computed = 0;  ///< index of the text whose rows it has: an equal one before it, or itself
};

/// Throws where text `index` has no mask, or one that is cut off, which nobody would miss.
void check_masks(const TaskModel& task, std::string_view text, const MaskedText& read, std::size_t index) {
  const std::size_t found = read.masks.size();
  const std::size_t all =
      read.tokens.is_cut
          ? masks_of(task, runtime::tokenize_text(*task.model->tokenizer, text, nullptr, 0).ids).size()
          : found;
  const std::string start = "text " + std::to_string(index) + ": expected ";
  if (all == 0) throw Error(ErrorCode::bad_input, start + "a mask, " + task.mask_token + ", found none");
  if (found == all) return;
  throw Error(ErrorCode::too_long,
              start + "its masks within the " + std::to_string(task.model->info.max_tokens) +
                  " tokens that it is cut to, found " + std::to_string(found) + " of " + std::to_string(all));
}

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

std::vector<MaskedText> tokenize(const TaskModel& task, std::span<const std::string_view> texts,
                                 Truncate truncate) {
  std::vector<TextOrPair> singles;
  for (const std::string_view text : texts) singles.push_back({text, {}});
  std::vector<MaskedText> result;
  for (runtime::TaskTokens& tokens : runtime::tokenize_texts(*task.model, singles, truncate, 0)) {
    MaskedText& text = result.emplace_back();
    text.tokens = std::move(tokens);
    text.masks = masks_of(task, text.tokens.ids);
    check_masks(task, texts[result.size() - 1], text, result.size() - 1);
  }
  return result;
}

/// Computes the rows of all masks but those of texts that are equal to one before.
EncodeReport compute_rows(const TaskModel& task, const EncodeOptions& options,
                          std::vector<MaskedText>& texts) {
  const std::size_t width = task.model->row_decoder->input_columns();
  runtime::SequenceRunner runner(task, options, [&](std::size_t i, std::span<const float> rows) {
    for (const std::size_t mask : texts[i].masks) {
      const auto row = rows.subspan(mask * width, width);
      texts[i].rows.insert(texts[i].rows.end(), row.begin(), row.end());
    }
  });
  EncodeReport report;
  for (MaskedText& text : texts) {
    text.computed = runner.add(text.tokens.ids, text.tokens.types);
    runtime::count(text.tokens, text.computed != report.texts, report);
  }
  runner.finish();
  return report;
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
                                                                const EncodeOptions& options,
                                                                EncodeReport* report) const {
  const TaskModel& task = *impl_;
  std::vector<MaskedText> read = tokenize(task, texts, options.truncate);
  const EncodeReport counted = compute_rows(task, options, read);
  std::vector<std::vector<std::vector<Filling>>> result;
  for (const MaskedText& text : read) {
    const bool is_own = text.computed == result.size();
    result.push_back(is_own ? fill_masks(task, text, top_k, options) : result[text.computed]);
  }
  if (report) *report = counted;
  return result;
}

}  // namespace nybble
