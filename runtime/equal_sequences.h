// Sequences of one call that are equal: the first is computed, the others get its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/batch_builder.h"

namespace nybble::runtime {

/// Remembers sequences by their ids and types, and the rows that they were given.
class EqualSequences {
 public:
  /// The first row of an equal sequence that was kept, or nullptr; valid until keep() or forget(). `types` is
  /// empty (all 0) or as long as `ids`.
  const std::size_t* find(std::span<const std::int32_t> ids, std::span<const std::int32_t> types,
                          const SequenceMarks& marks = {});
  /// Keeps the sequence that was looked for last.
  void keep(std::size_t row) { rows_.emplace(key_, row); }
  void forget() { rows_.clear(); }

 private:
  std::string key_;
  std::unordered_map<std::string, std::size_t> rows_;  ///< by the bytes of ids, types and marks
};

/// The rows of one sequence: where they belong, and those of the sequence whose copy they are (or the same).
struct RowPlace {
  std::size_t row = 0, computed_row = 0;
  std::size_t rows = 1;

  bool is_copy() const { return computed_row != row; }
};

/// Puts the rows of computed sequences, which stand without gaps from `out` on, where `places` say, and
/// copies them to those that are equal. Places ascend without gaps, the first at `out`; sequences computed
/// before it stand in front of `out`. A row has `columns` floats.
void spread_rows(std::span<const RowPlace> places, float* out, std::size_t columns);

}  // namespace nybble::runtime
