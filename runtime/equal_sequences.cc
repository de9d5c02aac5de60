#include "runtime/equal_sequences.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace nybble::runtime {
namespace {

void append_bytes(std::span<const std::int32_t> values, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

}  // namespace

const std::size_t* EqualSequences::find(std::span<const std::int32_t> ids,
                                        std::span<const std::int32_t> types, const SequenceMarks& marks) {
  key_.clear();
  append_bytes(ids, key_);
  // Types of zeros are as none; others are told from further ids by a byte that gives the key an odd length.
  if (std::any_of(types.begin(), types.end(), [](std::int32_t type) { return type != 0; })) {
    key_ += 't';
    append_bytes(types, key_);
  }
  if (marks != SequenceMarks{}) {
    key_ += "mm";
    append_bytes(std::array{marks.pool_from, marks.attended}, key_);
  }
  const auto found = rows_.find(key_);
  return found == rows_.end() ? nullptr : &found->second;
}

void spread_rows(std::span<const RowPlace> places, float* out, std::size_t columns) {
  if (places.empty()) return;
  const auto at = [&, first = places.front().row](std::size_t row) {
    return out + (static_cast<std::ptrdiff_t>(row) - static_cast<std::ptrdiff_t>(first)) *
                     static_cast<std::ptrdiff_t>(columns);
  };
  float* computed = out;
  for (const RowPlace& place : places) computed += place.is_copy() ? 0 : place.rows * columns;
  // From the last to the first: no row is overwritten before it is moved.
  for (auto place = places.rbegin(); place != places.rend() && computed != at(place->row + place->rows);
       ++place) {
    if (place->is_copy()) continue;
    computed -= place->rows * columns;
    std::memmove(at(place->row), computed, place->rows * columns * sizeof(float));
  }
  for (const RowPlace& place : places) {
    if (place.is_copy())
      std::memcpy(at(place.row), at(place.computed_row), place.rows * columns * sizeof(float));
  }
}

}  // namespace nybble::runtime
