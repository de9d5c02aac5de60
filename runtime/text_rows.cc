#include "runtime/text_rows.h"

#include <algorithm>

#include "kernels/float_environment.h"

namespace nybble::runtime {

void TextRows::add_sequence(std::size_t weight, bool is_last_of_text, std::size_t tokens) {
  sequences_.push_back({weight, is_last_of_text, 1, 0, tokens});
}

void TextRows::add_tokens(std::span<const std::int32_t> ids, const std::vector<bool>* skipped) {
  Sequence sequence{0, true, ids.size(), 0, ids.size()};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(ids[i]);
    if (skipped != nullptr && id < skipped->size() && (*skipped)[id]) continue;
    kept_.push_back(static_cast<std::uint32_t>(i));
    ++sequence.kept;
  }
  sequences_.push_back(sequence);
}

void TextRows::take(const float* rows) {
  const kernels::FloatEnvironment environment;
  if (reduce_) return take_reduced(rows);
  const std::uint32_t* kept = kept_.data();
  for (const Sequence& sequence : sequences_) {
    form_.per_token ? take_tokens(sequence, rows, kept) : take_pooled(sequence, rows);
    rows += sequence.rows * form_.columns;
    kept += sequence.kept;
  }
  sequences_.clear();
  kept_.clear();
}

void TextRows::take_reduced(const float* rows) {
  std::vector<std::size_t> lengths;
  std::size_t tokens = 0;
  for (const Sequence& sequence : sequences_) {
    lengths.push_back(sequence.tokens);
    tokens += sequence.tokens;
  }
  reduce_({rows, tokens * width_}, lengths,
          [this](std::size_t i, const float* row) { take_pooled(sequences_[i], row); });
  sequences_.clear();
}

void TextRows::take_tokens(const Sequence& sequence, const float* rows, const std::uint32_t* kept) {
  const std::size_t columns = form_.columns;
  if (sequence.kept == sequence.rows) return give({rows, sequence.rows * columns});
  row_.clear();
  for (std::size_t i = 0; i < sequence.kept; ++i) {
    const float* row = rows + kept[i] * columns;
    row_.insert(row_.end(), row, row + columns);
  }
  give(row_);
}

void TextRows::take_pooled(const Sequence& sequence, const float* row) {
  const bool is_alone = sequence.is_last && windows_ == 0;
  if (is_alone && form_.dimensions == form_.columns) return give({row, form_.columns});
  if (is_alone) return finish_row(row);
  add_window(sequence, row);
  if (!sequence.is_last) return;
  if (!form_.takes_greatest) {
    const auto weights = static_cast<float>(weights_);
    for (float& value : sum_) value /= weights;
  }
  finish_row(sum_.data());
  sum_.clear();
  windows_ = weights_ = 0;
}

/// From +0, window by window, a product and a sum at a time.
void TextRows::add_window(const Sequence& sequence, const float* row) {
  sum_.resize(form_.columns);
  const auto weight = static_cast<float>(sequence.weight);
  for (std::size_t i = 0; i < sum_.size(); ++i)
    sum_[i] = form_.takes_greatest ? std::max(sum_[i], row[i]) : sum_[i] + weight * row[i];
  weights_ += sequence.weight;
  ++windows_;
}

void TextRows::finish_row(const float* row) {
  row_.assign(row, row + form_.dimensions);
  if (form_.normalize) form_.kernels->l2_normalize(row_.data(), static_cast<int>(row_.size()), row_.data());
  give(row_);
}

}  // namespace nybble::runtime
