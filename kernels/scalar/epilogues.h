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

inline void add_residual(const Tile& tile, const EpilogueArgs* args) {
  for (int r = 0; r < tile.rows; ++r) {
    const float* residual = args->residual + (tile.row + r) * args->ld_residual + tile.column;
    float* row = tile.data + r * tile.ld;
    for (int c = 0; c < tile.cols && tile.column + c < args->columns; ++c)
      row[c] = canonical(row[c] + residual[c]);
  }
}

template <F32x1 (*function)(F32x1)>
void multiply_gate(const GateArgs& args) noexcept {
  const int blocks = row_block_count(args.n), depth = row_block_depth(args.n);
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    for (int i = 0; i < args.n; ++i) {
      const std::ptrdiff_t at = row * args.ldx + i;
      const float value = canonical(function({args.gate[at]}).value * args.up[at]);
      args.out[row * args.ldo + i] = value;
      if (args.ranges != nullptr) widen(args.ranges[row * blocks + i / depth], i % depth, value);
    }
  }
}

}  // namespace nybble::kernels::scalar
