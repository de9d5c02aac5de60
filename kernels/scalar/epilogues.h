// Steps on finished tiles, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

/// Column `column` of a block is `x`.
inline void widen(RowRange& range, int column, float x) {
  const auto high = static_cast<std::int32_t>(to_bits(x));
  const std::uint32_t low = to_bits(x);
  if (high > range.high[column % 16]) range.high[column % 16] = high;
  if (low > range.low[column % 16]) range.low[column % 16] = low;
}

/// A TileEpilogue that applies `function` to each element, and widens the rows' ranges where there are any.
template <F32x1 (*function)(F32x1)>
void each(const Tile& tile, const EpilogueArgs* args) {
  const bool ranged = args != nullptr && args->ranges != nullptr;
  for (int r = 0; r < tile.rows; ++r) {
    float* row = tile.data + r * tile.ld;
    for (int c = 0; c < tile.cols; ++c) row[c] = function({row[c]}).value;
    if (!ranged) continue;
    const int blocks = row_block_count(args->columns), block = tile.column / row_block_depth(args->columns);
    RowRange& range = args->ranges[static_cast<std::ptrdiff_t>(tile.row + r) * blocks + block];
    for (int c = 0; c < tile.cols; ++c) widen(range, c, row[c]);
  }
}

}  // namespace nybble::kernels::scalar
