// EntityRecognizer: a row of logits a token, over windows of long texts, and entities of them.
#include <algorithm>
#include <limits>
#include <numeric>

#include "nybble/error.h"
#include "runtime/entities.h"
#include "runtime/sequence_runner.h"
#include "runtime/task_folder.h"
#include "runtime/task_model.h"
#include "tokenizer/utf8.h"

namespace nybble {
namespace {

using runtime::ScoredToken;
using runtime::TaskModel;

/// A token of a text where it is read: in which window, and how far from an end of it that is not the text's.
struct Reading {
  std::size_t distance = 0;
  bool is_read = false;
};

/// A text on its way to entities.
struct Text {
  tokenizer::RepairedText repaired;
  tokenizer::Encoding encoding;   ///< its windows are in `overflow`
  std::size_t step = 0;           ///< tokens from one window to the next
  std::vector<Reading> readings;  ///< by the text's token, special ones left out
  std::vector<float> scores;      ///< [token][label]
  std::vector<std::int32_t> ids;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;
  std::size_t windows_done = 0;
  std::size_t first_token = 0;  ///< special tokens before the text's
  bool is_cut = false;

  std::size_t windows() const { return encoding.overflow.size() + 1; }
  const tokenizer::Encoding& window(std::size_t i) const {
    return i == 0 ? encoding : encoding.overflow[i - 1];
  }
};

bool is_text(const tokenizer::Encoding& window, std::size_t i) { return window.special[i] == 0; }

std::size_t text_tokens(const tokenizer::Encoding& window) {
  return static_cast<std::size_t>(std::count(window.special.begin(), window.special.end(), 0));
}

struct WindowSizes {
  std::size_t window = 0, overlap = 0;
  std::optional<Truncate> truncate;  ///< one window; else as many as the text needs
};

WindowSizes window_sizes(const TaskModel& task, const EntityOptions& options) {
  const std::size_t most = task.model->info.max_tokens;
  if (options.truncate && (options.window > 0 || options.overlap))
    throw Error(ErrorCode::bad_input, "truncate: expected it or windows, found both");
  if (options.truncate) return {most, 0, options.truncate};
  const std::size_t special = task.model->tokenizer->special_tokens_of_single();
  const std::size_t window = options.window == 0 ? most : options.window;
  if (window > task.model->info.positions || window <= special) {
    throw Error(ErrorCode::bad_input, "window: expected " + std::to_string(special + 1) + " to " +
                                          std::to_string(task.model->info.positions) + " tokens, found " +
                                          std::to_string(window));
  }
  const std::size_t overlap = options.overlap.value_or((window - special) / 4);
  if (overlap >= window - special) {
    throw Error(ErrorCode::bad_input, "overlap: expected fewer than the " + std::to_string(window - special) +
                                          " tokens of a window, found " + std::to_string(overlap));
  }
  return {window, overlap, {}};
}

tokenizer::RepairedText repaired(std::string_view text) {
  if (!tokenizer::is_valid_utf8(text)) return tokenizer::repair_utf8(text);
  tokenizer::RepairedText result;
  result.text = text;
  return result;
}

Text tokenize(const TaskModel& task, std::string_view source, const WindowSizes& sizes) {
  Text text;
  text.repaired = repaired(source);
  tokenizer::Truncation truncation;
  truncation.max_tokens = sizes.window;
  truncation.stride = sizes.overlap;
  truncation.overflow = !sizes.truncate;
  if (sizes.truncate == Truncate::left) truncation.side = tokenizer::Truncation::Side::left;
  text.encoding = task.model->tokenizer->encode(text.repaired.text, truncation);
  text.is_cut = sizes.truncate && text.encoding.is_cut;
  const auto& special = text.encoding.special;
  text.first_token = static_cast<std::size_t>(std::find(special.begin(), special.end(), 0) - special.begin());
  text.step = text_tokens(text.encoding) - (text.windows() > 1 ? sizes.overlap : 0);
  const std::size_t last = text.windows() - 1;
  const std::size_t tokens = last * text.step + text_tokens(text.window(last));
  text.readings.resize(tokens);
  text.ids.resize(tokens);
  text.offsets.resize(tokens);
  text.scores.resize(tokens * task.labels.size());
  return text;
}

/// Takes the logits of the next window of `text` for the tokens that stand farther from its ends than in the
/// windows before.
void take_window(Text& text, std::span<const float> logits, std::size_t labels) {
  constexpr std::size_t kFar = std::numeric_limits<std::size_t>::max();
  const std::size_t number = text.windows_done++;
  const tokenizer::Encoding& window = text.window(number);
  const std::size_t count = text_tokens(window), begin = number * text.step;
  for (std::size_t i = 0, k = 0; i < window.ids.size(); ++i) {
    if (!is_text(window, i)) continue;
    const std::size_t to_begin = number == 0 ? kFar : k,
                      to_end = number + 1 == text.windows() ? kFar : count - 1 - k;
    const std::size_t at = begin + k++;
    Reading& reading = text.readings[at];
    const std::size_t distance = std::min(to_begin, to_end);
    if (reading.is_read && distance <= reading.distance) continue;
    reading = {distance, true};
    text.ids[at] = window.ids[i];
    text.offsets[at] = window.offsets[i];
    const auto row = logits.subspan(i * labels, labels);
    std::copy(row.begin(), row.end(), text.scores.begin() + static_cast<std::ptrdiff_t>(at * labels));
  }
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

/// Whether a token goes on with the word before it. Where names of tokens do not say so, it does unless a
/// blank stands before it or at its beginning.
bool is_subword(std::string_view text, std::string_view name, std::size_t begin, std::size_t end,
                bool marks) {
  if (marks) return code_points(name) != code_points(text.substr(begin, end - begin));
  return begin > 0 && text[begin - 1] != ' ' && (begin >= text.size() || text[begin] != ' ');
}

std::vector<ScoredToken> scored_tokens(const TaskModel& task, const Text& text) {
  const tokenizer::Tokenizer& tokenizer = *task.model->tokenizer;
  const std::size_t labels = task.labels.size();
  const bool marks = tokenizer.marks_continuations();
  const std::optional<std::int32_t> unknown = tokenizer.unknown_id();
  std::vector<ScoredToken> tokens;
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    const auto [begin, end] = text.offsets[i];
    ScoredToken token;
    token.scores = std::span(text.scores).subspan(i * labels, labels);
    token.begin = begin;
    token.end = end;
    token.index = text.first_token + i;
    const bool is_unknown = text.ids[i] == unknown;
    const std::string_view own = std::string_view(text.repaired.text).substr(begin, end - begin);
    token.word = is_unknown ? own : tokenizer.token(text.ids[i]);
    token.is_subword = !is_unknown && is_subword(text.repaired.text, token.word, begin, end, marks);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// Sets code points, and turns offsets into those of the text as given. Entities come in ascending order.
void place(std::vector<Entity>& entities, const tokenizer::RepairedText& text) {
  std::size_t byte = 0, character = 0;
  const auto characters_before = [&](std::size_t at) {
    // Tokens that share a character's bytes begin before the end of the one before.
    if (at < byte) byte = character = 0;
    character += code_points(std::string_view(text.text).substr(byte, at - byte));
    byte = at;
    return character;
  };
  for (Entity& entity : entities) {
    entity.char_begin = characters_before(entity.byte_begin);
    entity.char_end = characters_before(entity.byte_end);
    entity.byte_begin = text.to_original(static_cast<std::uint32_t>(entity.byte_begin));
    entity.byte_end = text.to_original(static_cast<std::uint32_t>(entity.byte_end));
  }
}

std::vector<Entity> entities_of(const TaskModel& task, Text& text, const EntityOptions& options) {
  runtime::apply_scoring(*task.kernels, Scoring::softmax, text.scores, task.labels.size());
  const std::vector<ScoredToken> tokens = scored_tokens(task, text);
  const auto join = [&](std::vector<std::string> words) {
    return task.model->tokenizer->decode_names(std::move(words));
  };
  std::vector<Entity> entities = runtime::aggregate(tokens, task.labels, options.aggregation, join);
  const auto is_ignored = [&](const Entity& entity) {
    return std::find(options.ignored_labels.begin(), options.ignored_labels.end(), entity.label) !=
           options.ignored_labels.end();
  };
  std::erase_if(entities, is_ignored);
  place(entities, text.repaired);
  return entities;
}

void count(const Text& text, std::size_t index, EntityReport& report) {
  report.windows += text.windows();
  report.windowed += text.windows() > 1;
  report.cut += text.is_cut;
  if (text.repaired.replaced > 0 && report.invalid_texts == 0) report.first_invalid = index;
  report.invalid_texts += text.repaired.replaced > 0;
  report.invalid_parts += text.repaired.replaced;
}

std::vector<Text> read_texts(const TaskModel& task, std::span<const std::string_view> texts,
                             const WindowSizes& sizes) {
  std::vector<Text> read(texts.size());
  task.model->scheduler().parallel_for(static_cast<int>(texts.size()), [&](int i, int) {
    const auto index = static_cast<std::size_t>(i);
    read[index] = tokenize(task, texts[index], sizes);
  });
  if (sizes.truncate != Truncate::error) return read;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (read[i].is_cut) throw runtime::too_long(i, sizes.window);
  }
  return read;
}

/// Computes the windows of all texts; gives the number of those that got the scores of an equal one.
std::size_t score_windows(const TaskModel& task, const EncodeOptions& options, std::vector<Text>& texts) {
  std::vector<std::vector<float>> logits;  // of a window that was computed
  runtime::SequenceRunner runner(task, options, [&](std::size_t i, std::span<const float> rows) {
    if (logits.size() <= i) logits.resize(i + 1);
    logits[i].assign(rows.begin(), rows.end());
  });
  std::vector<std::size_t> computed;  // of each window the one whose logits it has
  for (const Text& text : texts) {
    if (text.encoding.ids.empty()) continue;
    for (std::size_t k = 0; k < text.windows(); ++k)
      computed.push_back(runner.add(text.window(k).ids, text.window(k).type_ids));
  }
  runner.finish();
  std::size_t next = 0, folded = 0;
  for (Text& text : texts) {
    if (text.encoding.ids.empty()) continue;
    for (std::size_t k = 0; k < text.windows(); ++k, ++next) {
      folded += computed[next] != next;
      take_window(text, logits[computed[next]], task.labels.size());
    }
  }
  return folded;
}

}  // namespace

EntityRecognizer EntityRecognizer::load(std::string_view model, const LoadOptions& options) {
  const auto folder = runtime::read_task_folder(runtime::resolve_model(model));
  EntityRecognizer result;
  result.impl_ = runtime::load_task(folder, graph::Head::token_classification, options);
  return result;
}

const ModelInfo& EntityRecognizer::info() const { return impl_->model->info; }
const std::vector<std::string>& EntityRecognizer::labels() const { return impl_->labels; }

std::vector<std::vector<Entity>> EntityRecognizer::entities(std::span<const std::string_view> texts,
                                                            const EntityOptions& options,
                                                            EntityReport* report) const {
  const TaskModel& task = *impl_;
  std::vector<Text> read = read_texts(task, texts, window_sizes(task, options));
  EntityReport counted;
  counted.folded = score_windows(task, options.encode, read);
  std::vector<std::vector<Entity>> entities;
  for (std::size_t i = 0; i < read.size(); ++i) {
    entities.push_back(entities_of(task, read[i], options));
    count(read[i], i, counted);
  }
  if (report) *report = counted;
  return entities;
}

}  // namespace nybble
