// Steps on finished tiles, and the gates of gated layers, on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/range.h"

namespace nybble::kernels {

template <class V, V (*function)(V)>
[[gnu::always_inline]] inline void activate_row(float* row, int cols) {
  int i = 0;
  for (; i + 16 <= cols; i += 16) function(V::load(row + i)).store(row + i);
  if (i < cols) function(V::load_first(row + i, cols - i)).store_first(row + i, cols - i);
}

/// The same, widening `lanes`. What a masked load adds beyond the row is f(0), which must not count.
template <class V, V (*function)(V)>
[[gnu::always_inline]] inline void activate_row(float* row, int cols, RangeLanes<V>& lanes) {
  int i = 0;
  for (; i + 64 <= cols; i += 64) {  // fewer turns than a branch predictor can count
#pragma GCC unroll 4
    for (int j = i; j < i + 64; j += 16) {
      const V value = function(V::load(row + j));
      value.store(row + j);
      lanes.widen(value);
    }
  }
  for (; i + 16 <= cols; i += 16) {
    const V value = function(V::load(row + i));
    value.store(row + i);
    lanes.widen(value);
  }
  if (i < cols) {
    function(V::load_first(row + i, cols - i)).store_first(row + i, cols - i);
    lanes.widen(V::load_first(row + i, cols - i));
  }
}

/// A TileEpilogue that applies `function` to each element, and widens the rows' ranges where there are any.
template <class V, V (*function)(V)>
void each(const Tile& tile, const EpilogueArgs* args) {
  const int rows = tile.rows, cols = tile.cols;
  const std::ptrdiff_t ld = tile.ld;
  float* row = tile.data;
  if (args == nullptr || args->ranges == nullptr) {
    for (int r = 0; r < rows; ++r, row += ld) activate_row<V, function>(row, cols);
    return;
  }
  const int blocks = row_block_count(args->columns), block = tile.column / row_block_depth(args->columns);
  RowRange* range = args->ranges + static_cast<std::ptrdiff_t>(tile.row) * blocks + block;
  for (int r = 0; r < rows; ++r, row += ld, range += blocks) {
    RangeLanes<V> lanes = RangeLanes<V>::load(*range);
    activate_row<V, function>(row, cols, lanes);
    lanes.store(*range);
  }
}

}  // namespace nybble::kernels
