// The ways into a Model: texts, pairs, ids, streams. All end as batches of sequences.
#include <algorithm>
#include <utility>

#include "runtime/equal_sequences.h"
#include "runtime/loaded_model.h"
#include "runtime/text_block.h"

namespace nybble {
namespace {

void check_rows(std::span<float> rows, std::size_t count, std::size_t hidden) {
  if (rows.size() == count * hidden) return;
  throw Error(ErrorCode::bad_input, "rows: expected room for " + std::to_string(count) + " × " +
                                        std::to_string(hidden) + " floats, found " +
                                        std::to_string(rows.size()));
}

}  // namespace

/// One call: collects sequences, and runs a batch whenever the next would not fit. Of equal sequences the
/// first is computed.
class EncodeCall {
 public:
  EncodeCall(const runtime::LoadedModel& model, const EncodeOptions& options)
      : model_(model),
        options_(options),
        batch_(model.sizes, model.batch_tokens),
        block_(*model.tokenizer, model.scheduler(), model.info.max_tokens, model.batch_tokens,
               options.observer) {}

  /// Where the next rows of the call go: called before a batch runs, with its rows and those equal to some.
  std::function<float*(std::size_t rows)> place_rows;
  /// Called when they stand there; may be empty. If not, rows are not read again.
  std::function<void(std::size_t rows)> rows_done;

  void add_ids(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) {
    const std::size_t rows = model_.output == Output::tokens ? ids.size() : 1;
    // A stream hands its rows over when it has read as many tokens as a batch has, whether they were computed
    // or not.
    if (rows_done && pending_tokens_ + ids.size() > model_.batch_tokens) run();
    const std::size_t* equal = equal_.find(ids, types);
    if (equal) {
      ++report_.folded;
    } else {
      if (!batch_.fits(ids.size())) run();
      batch_.add(ids, types, report_.texts);
      equal_.keep(next_row_);
    }
    places_.push_back({next_row_, equal ? *equal : next_row_, rows});
    next_row_ += rows;
    pending_rows_ += rows;
    pending_tokens_ += ids.size();
    ++report_.texts;
  }

  void add_text(std::string_view text) {
    block_.add(text);
    if (block_.is_full()) take_block();
  }
  void add_own_text(std::string text) {
    block_.add_own(std::move(text));
    if (block_.is_full()) take_block();
  }
  void add_pair(std::string_view first, std::string_view second) {
    block_.add_pair(first, second);
    if (block_.is_full()) take_block();
  }

  /// Runs what is left.
  EncodeReport finish() {
    take_block();
    run();
    return report_;
  }

 private:
  void run() {
    if (places_.empty()) return;
    float* rows = place_rows(pending_rows_);
    if (!batch_.empty()) model_.run(batch_.batch(rows), options_);
    runtime::spread_rows(places_, rows, model_.info.hidden);
    report_.tokens += batch_.tokens();
    batch_.clear();
    places_.clear();
    if (rows_done) {
      equal_.forget();
      rows_done(pending_rows_);
    }
    pending_rows_ = pending_tokens_ = 0;
  }

  void take_block() {
    block_.tokenize([this](const runtime::TokenizedText& text) { add_tokenized(text); });
  }

  void add_tokenized(const runtime::TokenizedText& text) {
    if (text.error) std::rethrow_exception(text.error);
    if (text.invalid_texts > 0 && report_.invalid_texts == 0) report_.first_invalid = report_.texts;
    report_.invalid_texts += text.invalid_texts;
    report_.invalid_parts += text.invalid_parts;
    report_.cut += text.is_cut;
    add_ids(text.ids, text.types);
  }

  const runtime::LoadedModel& model_;
  const EncodeOptions& options_;
  runtime::BatchBuilder batch_;
  runtime::TextBlock block_;
  runtime::EqualSequences equal_;
  std::vector<runtime::RowPlace> places_;  ///< of the sequences since the last batch
  std::size_t next_row_ = 0, pending_rows_ = 0, pending_tokens_ = 0;
  EncodeReport report_;
};

namespace {

/// Rows go to `rows`, a row a sequence, or a row a token.
void place_in_order(EncodeCall& call, std::span<float> rows, std::size_t hidden) {
  call.place_rows = [next = rows.data(), hidden](std::size_t count) mutable {
    return std::exchange(next, next + count * hidden);
  };
}

void check_pooled(const Output& output, const char* function) {
  if (output == Output::embedding) return;
  throw Error(ErrorCode::bad_input, std::string(function) + " needs a model loaded with Output::embedding");
}

void check_borders(std::span<const std::int32_t> ids, std::span<const std::int32_t> cu_seqlens) {
  const bool spans_ids = !cu_seqlens.empty() && cu_seqlens.front() == 0 &&
                         cu_seqlens.back() == static_cast<std::int64_t>(ids.size()) &&
                         std::is_sorted(cu_seqlens.begin(), cu_seqlens.end());
  if (spans_ids) return;
  throw Error(ErrorCode::bad_input, "cu_seqlens: expected ascending borders from 0 to " +
                                        std::to_string(ids.size()) + ", the number of ids");
}

}  // namespace

EncodeReport Model::encode(std::span<const std::string_view> texts, std::span<float> rows,
                           const EncodeOptions& options) const {
  check_pooled(impl_->output, "encode");
  check_rows(rows, texts.size(), impl_->info.hidden);
  EncodeCall call(*impl_, options);
  place_in_order(call, rows, impl_->info.hidden);
  for (const std::string_view text : texts) call.add_text(text);
  return call.finish();
}

EncodeReport Model::encode_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                 std::span<float> rows, const EncodeOptions& options) const {
  check_pooled(impl_->output, "encode_pairs");
  check_rows(rows, pairs.size(), impl_->info.hidden);
  EncodeCall call(*impl_, options);
  place_in_order(call, rows, impl_->info.hidden);
  for (const auto& [first, second] : pairs) call.add_pair(first, second);
  return call.finish();
}

EncodeReport Model::encode_ids(std::span<const std::int32_t> ids, std::span<const std::int32_t> cu_seqlens,
                               std::span<float> rows, std::span<const std::int32_t> type_ids,
                               const EncodeOptions& options) const {
  check_borders(ids, cu_seqlens);
  if (!type_ids.empty() && type_ids.size() != ids.size()) {
    throw Error(ErrorCode::bad_input, "type_ids: expected none or " + std::to_string(ids.size()) +
                                          ", found " + std::to_string(type_ids.size()));
  }
  const bool per_token = impl_->output == Output::tokens;
  check_rows(rows, per_token ? ids.size() : cu_seqlens.size() - 1, impl_->info.hidden);
  EncodeCall call(*impl_, options);
  place_in_order(call, rows, impl_->info.hidden);
  for (std::size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    const auto begin = static_cast<std::size_t>(cu_seqlens[i]);
    const auto length = static_cast<std::size_t>(cu_seqlens[i + 1]) - begin;
    call.add_ids(ids.subspan(begin, length),
                 type_ids.empty() ? std::span<const std::int32_t>() : type_ids.subspan(begin, length));
  }
  return call.finish();
}

EncodeReport Model::encode_stream(
    const std::function<bool(std::string& text)>& next,
    const std::function<void(std::size_t index, std::span<const float> row)>& row,
    const EncodeOptions& options) const {
  check_pooled(impl_->output, "encode_stream");
  const std::size_t hidden = impl_->info.hidden;
  std::vector<float> rows;
  std::size_t done = 0;
  EncodeCall call(*impl_, options);
  call.place_rows = [&](std::size_t count) {
    if (rows.size() < count * hidden) rows.resize(count * hidden);
    return rows.data();
  };
  call.rows_done = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      row(done++, std::span<const float>(rows).subspan(i * hidden, hidden));
  };
  std::string text;
  while (next(text)) call.add_own_text(std::exchange(text, {}));
  return call.finish();
}

}  // namespace nybble
