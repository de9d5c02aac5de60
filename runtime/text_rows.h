// From the rows of sequences to those of texts: windows become one, rows are cut, and some are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/kernel_set.h"

namespace nybble::runtime {

/// What the rows of a text are made of.
struct TextRowForm {
  std::size_t columns = 0;      ///< of a computed row
  std::size_t dimensions = 0;   ///< of a row as it is given; at most `columns`
  bool per_token = false;       ///< each sequence is a text, and has a row a token
  bool takes_greatest = false;  ///< of windows; else their mean by number of tokens
  bool normalize = false;       ///< after a cut or a mean
  const kernels::KernelSet* kernels = nullptr;
};

/// Takes sequences and afterwards their rows, and gives away the rows of each text when its last has come.
class TextRows {
 public:
  using Emit = std::function<void(std::size_t text, std::span<const float> rows)>;

  TextRows(const TextRowForm& form, Emit emit) : form_(form), emit_(std::move(emit)) {}

  /// The next sequence, of the same text as the one before unless that was its text's last. `weight` counts
  /// among windows.
  /// `tokens` are its own, of which there are rows where rows of tokens are reduced.
  void add_sequence(std::size_t weight, bool is_last_of_text, std::size_t tokens);
  /// The next sequence, a text alone, of whose rows those of `kept` are given.
  void add_tokens(std::span<const std::int32_t> ids, const std::vector<bool>* skipped);
  /// The rows of all sequences since the last call, without gaps.
  void take(const float* rows);
  /// Makes of the rows of `lengths` tokens, end to end, one row a sequence of form.columns, and hands it on.
  using Reduce = std::function<void(std::span<const float> rows, std::span<const std::size_t> lengths,
                                    const std::function<void(std::size_t sequence, const float* row)>& give)>;
  /// From now on the rows that come are one a token of `width` values, which `reduce` makes one a sequence.
  void reduce_tokens(std::size_t width, Reduce reduce) { width_ = width, reduce_ = std::move(reduce); }

 private:
  struct Sequence {
    std::size_t weight = 0;
    bool is_last = true;
    std::size_t rows = 1, kept = 0;  ///< per token: of kept_
    std::size_t tokens = 0;
  };

  void take_pooled(const Sequence& sequence, const float* row);
  void take_tokens(const Sequence& sequence, const float* rows, const std::uint32_t* kept);
  void add_window(const Sequence& sequence, const float* row);
  void take_reduced(const float* rows);
  void give(std::span<const float> rows) { emit_(text_++, rows); }
  void finish_row(const float* row);

  TextRowForm form_;
  Emit emit_;
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> kept_;  ///< indices of rows within their sequence
  std::vector<float> sum_, row_;
  std::size_t width_ = 0;
  Reduce reduce_;
  std::size_t weights_ = 0, windows_ = 0;  ///< of the text whose windows are coming
  std::size_t text_ = 0;
};

}  // namespace nybble::runtime
