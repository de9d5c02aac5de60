// The ways into a Model: texts, pairs, ids, streams. All end as batches of sequences.
#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/equal_sequences.h"
#include "runtime/loaded_model.h"
#include "runtime/sparse_rows.h"
#include "runtime/text_block.h"
#include "runtime/text_rows.h"

namespace nybble {
namespace {

void check_rows(std::span<float> rows, std::size_t count, std::size_t dimensions) {
  if (rows.size() == count * dimensions) return;
  throw Error(ErrorCode::bad_input, "rows: expected room for " + std::to_string(count) + " × " +
                                        std::to_string(dimensions) + " floats, found " +
                                        std::to_string(rows.size()));
}

bool is_per_token(Output output) { return output == Output::tokens || output == Output::multi_vector; }

/// Of a row as a call gives it. Throws Error{bad_input} for more than the model has, or another output.
std::size_t dimensions_of(const runtime::LoadedModel& model, const EncodeOptions& options) {
  if (!options.dimensions) return model.info.dimensions;
  const std::size_t most = model.columns();
  if (model.info.output != Output::embedding) {
    throw Error(ErrorCode::bad_input, "dimensions: expected them with embeddings of one row a text alone");
  }
  if (*options.dimensions >= 1 && *options.dimensions <= most) return *options.dimensions;
  throw Error(ErrorCode::bad_input, "dimensions: expected 1 to " + std::to_string(most) + ", found " +
                                        std::to_string(*options.dimensions));
}

runtime::TextRowForm row_form(const runtime::LoadedModel& model, const EncodeOptions& options) {
  runtime::TextRowForm form;
  form.columns = model.columns();
  form.dimensions = dimensions_of(model, options);
  form.per_token = is_per_token(model.info.output);
  form.takes_greatest = model.info.output == Output::sparse;
  form.normalize = model.info.normalize;
  form.kernels = model.kernels;
  if (form.per_token && options.chunk > 0)
    throw Error(ErrorCode::bad_input, "chunk: expected an output of one row a text, found one row a token");
  return form;
}

}  // namespace

/// One call: collects sequences, and runs a batch whenever the next would not fit. Of equal sequences the
/// first is computed.
class EncodeCall {
 public:
  EncodeCall(const runtime::LoadedModel& model, const EncodeOptions& options)
      : model_(model),
        options_(options),
        row_form_(row_form(model, options)),
        form_(model.text_forms.form(options, *model.tokenizer)),
        batch_(model.sizes, model.batch_tokens),
        block_(*model.tokenizer, model.scheduler(), form_, model.batch_tokens, options.observer) {}

  std::size_t dimensions() const { return row_form_.dimensions; }

  /// Rows go to `rows`, in order and without gaps.
  void write_to(std::span<float> rows) {
    if (is_direct()) {
      place_rows_ = [next = rows.data(), columns = row_form_.columns](std::size_t count) mutable {
        return std::exchange(next, next + count * columns);
      };
      return;
    }
    give_to([next = rows.data()](std::size_t, std::span<const float> row) mutable {
      next = std::copy(row.begin(), row.end(), next);
    });
  }

  /// Rows go to `emit`, those of a text at a time, and are kept no longer than a batch.
  void give_to(runtime::TextRows::Emit emit) {
    text_rows_.emplace(row_form_, std::move(emit));
    if (is_sparse()) {
      sparse_rows_.emplace(*model_.row_decoder, model_.sparse, options_);
      text_rows_->reduce_tokens(computed_columns(), [this](auto rows, auto lengths, const auto& give) {
        sparse_rows_->pool(rows, lengths, give);
      });
    }
    place_rows_ = [this](std::size_t count) {
      const std::size_t floats = count * computed_columns();
      if (rows_.size() < floats) rows_.resize(floats);
      return rows_.data();
    };
  }

  /// A sequence of the caller's.
  void add_ids(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) {
    add_sequence(ids, types, {}, {1, true});
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
  /// What a sequence is of its text.
  struct Share {
    std::size_t weight = 1;
    bool is_last = true;
  };

  /// Whether computed rows are those of the texts.
  bool is_direct() const {
    return !form_.has_windows && row_form_.dimensions == row_form_.columns && !is_sparse();
  }
  bool is_sparse() const { return model_.info.output == Output::sparse; }
  /// Whether the plan gives a row a token.
  bool computes_tokens() const { return row_form_.per_token || is_sparse(); }
  /// Of a row as the plan makes it.
  std::size_t computed_columns() const { return static_cast<std::size_t>(model_.plan().output_columns); }

  void add_sequence(std::span<const std::int32_t> ids, std::span<const std::int32_t> types,
                    const runtime::SequenceMarks& marks, const Share& share) {
    const std::size_t rows = computes_tokens() ? ids.size() : 1;
    // A stream hands its rows over when it has read as many tokens as a batch has, whether they were computed
    // or not.
    if (text_rows_ && pending_tokens_ + ids.size() > model_.batch_tokens) run();
    const std::size_t* equal = equal_.find(ids, types, marks);
    if (equal) {
      ++report_.folded;
    } else {
      if (!batch_.fits(ids.size())) run();
      batch_.add(ids, types, report_.texts, marks);
      equal_.keep(next_row_);
    }
    places_.push_back({next_row_, equal ? *equal : next_row_, rows});
    next_row_ += rows;
    pending_rows_ += rows;
    pending_tokens_ += ids.size();
    if (!text_rows_) return;
    row_form_.per_token ? text_rows_->add_tokens(ids, form_.skipped)
                        : text_rows_->add_sequence(share.weight, share.is_last, ids.size());
  }

  void run() {
    if (places_.empty()) return;
    float* rows = place_rows_(pending_rows_);
    if (!batch_.empty()) model_.run(batch_.batch(rows), options_);
    runtime::spread_rows(places_, rows, computed_columns());
    report_.tokens += batch_.tokens();
    batch_.clear();
    places_.clear();
    pending_rows_ = pending_tokens_ = 0;
    if (!text_rows_) return;
    equal_.forget();
    text_rows_->take(rows);
  }

  void take_block() {
    block_.tokenize([this](const runtime::TokenizedText& text) { add_tokenized(text); });
  }

  void add_tokenized(const runtime::TokenizedText& text) {
    if (text.error) fail(text.error);
    if (text.invalid_texts > 0 && report_.invalid_texts == 0) report_.first_invalid = report_.texts;
    report_.invalid_texts += text.invalid_texts;
    report_.invalid_parts += text.invalid_parts;
    report_.cut += text.is_cut;
    if (form_.has_windows) report_.windows += text.sequences.size();
    for (const runtime::TokenizedSequence& sequence : text.sequences) {
      runtime::SequenceMarks marks;
      marks.pool_from = static_cast<std::int32_t>(form_.pool_from);
      const Share share{sequence.own_tokens, &sequence == &text.sequences.back()};
      const bool is_changed = form_.marker || form_.fill;
      if (is_changed) mark_and_fill(sequence, marks);
      const std::span<const std::int32_t> types = is_changed ? types_ : sequence.types;
      add_sequence(is_changed ? ids_ : sequence.ids,
                   model_.has_types ? types : std::span<const std::int32_t>(), marks, share);
    }
    ++report_.texts;
  }

  /// The sequence with its marker, and filled up.
  void mark_and_fill(const runtime::TokenizedSequence& sequence, runtime::SequenceMarks& marks) {
    ids_.assign(sequence.ids.begin(), sequence.ids.end());
    types_.assign(sequence.types.begin(), sequence.types.end());
    if (form_.marker) {
      const auto lead = static_cast<std::ptrdiff_t>(std::min(form_.lead_specials, ids_.size()));
      ids_.insert(ids_.begin() + lead, *form_.marker);
      types_.insert(types_.begin() + lead, 0);
    }
    if (!form_.fill || ids_.size() >= form_.fill->length) return;
    if (!form_.fill->is_attended) marks.attended = static_cast<std::int32_t>(ids_.size());
    ids_.resize(form_.fill->length, form_.fill->id);
    types_.resize(form_.fill->length);
  }

  /// A text that is too long is told of by its number.
  [[noreturn]] void fail(const std::exception_ptr& error) const {
    try {
      std::rethrow_exception(error);
    } catch (const Error& found) {
      if (found.code() != ErrorCode::too_long) throw;
      throw Error(ErrorCode::too_long, "text " + std::to_string(report_.texts) + ": " + found.what());
    }
  }

  const runtime::LoadedModel& model_;
  const EncodeOptions& options_;
  const runtime::TextRowForm row_form_;
  const runtime::TextForm form_;
  runtime::BatchBuilder batch_;
  runtime::TextBlock block_;
  runtime::EqualSequences equal_;
  std::function<float*(std::size_t rows)> place_rows_;  ///< where the next so many computed rows go
  std::optional<runtime::TextRows> text_rows_;          ///< takes them; none where they stand in their place
  std::optional<runtime::SparseRows> sparse_rows_;
  std::vector<float> rows_;
  std::vector<std::int32_t> ids_, types_;
  std::vector<runtime::RowPlace> places_;  ///< of the sequences since the last batch
  std::size_t next_row_ = 0, pending_rows_ = 0, pending_tokens_ = 0;
  EncodeReport report_;
};

namespace {

void check_pooled(Output output, const char* function) {
  if (!is_per_token(output)) return;
  throw Error(ErrorCode::bad_input,
              std::string(function) + " needs a model whose output is one row a text, found one row a token");
}

void check_pair_options(const EncodeOptions& options) {
  if (!options.prompt && !options.prompt_name && options.chunk == 0) return;
  throw Error(ErrorCode::bad_input, "pairs of texts: expected neither a prompt nor windows");
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
  check_pooled(impl_->info.output, "encode");
  EncodeCall call(*impl_, options);
  check_rows(rows, texts.size(), call.dimensions());
  call.write_to(rows);
  for (const std::string_view text : texts) call.add_text(text);
  return call.finish();
}

EncodeReport Model::encode_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                 std::span<float> rows, const EncodeOptions& options) const {
  check_pooled(impl_->info.output, "encode_pairs");
  check_pair_options(options);
  EncodeOptions without_prompt = options;
  without_prompt.prompt = "";
  EncodeCall call(*impl_, without_prompt);
  check_rows(rows, pairs.size(), call.dimensions());
  call.write_to(rows);
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
  EncodeCall call(*impl_, options);
  check_rows(rows, is_per_token(impl_->info.output) ? ids.size() : cu_seqlens.size() - 1, call.dimensions());
  call.write_to(rows);
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
  EncodeCall call(*impl_, options);
  call.give_to(row);
  std::string text;
  while (next(text)) call.add_own_text(std::exchange(text, {}));
  return call.finish();
}

}  // namespace nybble
