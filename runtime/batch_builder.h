// Sequences of ids laid end to end, with what a plan needs beside them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/import/importer.h"
#include "runtime/plan.h"

namespace nybble::runtime {

/// What a sequence has beside its ids.
struct SequenceMarks {
  std::int32_t pool_from = 0;  ///< Batch::pool_from
  /// Tokens behind the first so many are attended to by none; 0: all are.
  std::int32_t attended = 0;
  bool operator==(const SequenceMarks&) const = default;
};

/// Collects sequences for one batch. Reused from batch to batch; allocates only while it grows.
class BatchBuilder {
 public:
  /// `sizes` bounds ids, types and lengths; it must outlive this object. No batch holds more than max_tokens.
  BatchBuilder(const graph::EncoderSizes& sizes, std::size_t max_tokens)
      : sizes_(sizes), max_tokens_(max_tokens) {}

  std::size_t tokens() const { return ids_.size(); }
  std::size_t sequences() const { return cu_seqlens_.size() - 1; }
  bool empty() const { return sequences() == 0; }
  /// Whether `length` more tokens fit.
  bool fits(std::size_t length) const { return empty() || tokens() + length <= max_tokens_; }

  /// Appends a sequence; `types` is empty (all 0) or as long as `ids`. `index` names the sequence in errors.
  /// Throws Error{bad_input} for an empty sequence or an id or type outside its table, Error{too_long} for
  /// more ids than positions.
  void add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types, std::size_t index,
           const SequenceMarks& marks = {});
  void clear();

  /// The batch, with `out` for its rows; valid until add() or clear().
  Batch batch(float* out);

 private:
  void add_marks(std::size_t length, const SequenceMarks& marks);
  void add_positions(std::span<const std::int32_t> ids);
  void check(std::span<const std::int32_t> values, std::int64_t limit, const char* what,
             std::size_t index) const;

  const graph::EncoderSizes& sizes_;
  std::size_t max_tokens_;
  std::vector<std::int32_t> ids_, positions_, types_, order_, pool_from_;
  std::vector<float> key_bias_;  ///< empty as long as no sequence has any
  std::vector<std::int32_t> cu_seqlens_ = {0};
};

}  // namespace nybble::runtime
