#include "runtime/batch_builder.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "nybble/error.h"

namespace nybble::runtime {

void BatchBuilder::check(std::span<const std::int32_t> values, std::int64_t limit, const char* what,
                         std::size_t index) const {
  for (const std::int32_t value : values) {
    if (value >= 0 && value < limit) continue;
    throw Error(ErrorCode::bad_input, "sequence " + std::to_string(index) + ": expected " + what +
                                          " from 0 to " + std::to_string(limit - 1) + ", found " +
                                          std::to_string(value));
  }
}

void BatchBuilder::add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types,
                       std::size_t index, const SequenceMarks& marks) {
  if (ids.empty()) {
    throw Error(ErrorCode::bad_input,
                "sequence " + std::to_string(index) + ": expected at least one id, found none");
  }
  if (ids.size() > static_cast<std::size_t>(sizes_.positions)) {
    throw Error(ErrorCode::too_long, "sequence " + std::to_string(index) + ": expected at most " +
                                         std::to_string(sizes_.positions) + " tokens, found " +
                                         std::to_string(ids.size()));
  }
  check(ids, sizes_.vocabulary, "token ids", index);
  if (sizes_.token_types > 0) check(types, sizes_.token_types, "token types", index);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  types_.insert(types_.end(), types.begin(), types.end());
  types_.resize(ids_.size());
  add_positions(ids);
  cu_seqlens_.push_back(static_cast<std::int32_t>(ids_.size()));
  add_marks(ids.size(), marks);
}

void BatchBuilder::add_marks(std::size_t length, const SequenceMarks& marks) {
  pool_from_.push_back(std::min(marks.pool_from, static_cast<std::int32_t>(length) - 1));
  const bool masks = marks.attended > 0;
  if (!masks && key_bias_.empty()) return;
  key_bias_.resize(ids_.size());
  if (!masks) return;
  const auto first = key_bias_.end() - static_cast<std::ptrdiff_t>(length) + marks.attended;
  std::fill(first, key_bias_.end(), -std::numeric_limits<float>::infinity());
}

void BatchBuilder::add_positions(std::span<const std::int32_t> ids) {
  auto next = static_cast<std::int32_t>(sizes_.first_position);
  for (const std::int32_t id : ids) {
    const bool counts = !sizes_.uncounted_id || id != *sizes_.uncounted_id;
    positions_.push_back(counts ? next++ : static_cast<std::int32_t>(sizes_.first_position) - 1);
  }
}

void BatchBuilder::clear() {
  ids_.clear();
  positions_.clear();
  types_.clear();
  cu_seqlens_.assign(1, 0);
  pool_from_.clear();
  key_bias_.clear();
}

Batch BatchBuilder::batch(float* out) {
  order_.resize(sequences());
  std::iota(order_.begin(), order_.end(), 0);
  const auto length = [this](std::int32_t i) {
    return cu_seqlens_[static_cast<std::size_t>(i) + 1] - cu_seqlens_[static_cast<std::size_t>(i)];
  };
  std::sort(order_.begin(), order_.end(),
            [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });
  Batch batch;
  batch.ids = ids_.data();
  batch.positions = positions_.data();
  batch.types = types_.data();
  batch.cu_seqlens = cu_seqlens_.data();
  batch.order = order_.data();
  batch.tokens = static_cast<int>(tokens());
  batch.sequences = static_cast<int>(sequences());
  batch.out = out;
  batch.pool_from = pool_from_.data();
  batch.key_bias = key_bias_.empty() ? nullptr : key_bias_.data();
  return batch;
}

}  // namespace nybble::runtime
