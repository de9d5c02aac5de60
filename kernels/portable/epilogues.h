// Steps on finished tiles, and the gates of gated layers, on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/range.h"
#include "kernels/portable/vectors.h"

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

/// Adds the residual's element at the same place of C.
template <class V>
void add_residual(const Tile& tile, const EpilogueArgs* args) {
  const int real = args->columns - tile.column, cols = real < tile.cols ? real : tile.cols;
  const float* residual = args->residual + tile.row * args->ld_residual + tile.column;
  float* row = tile.data;
  for (int r = 0; r < tile.rows; ++r, row += tile.ld, residual += args->ld_residual) {
    for (int i = 0; i < cols; i += 16) {
      store_at(canonical(load_at<V>(row, i, cols) + load_at<V>(residual, i, cols)), row, i, cols);
    }
  }
}

/// 16 columns of a gate; what stands beyond `left` is 0 in the range.
template <class V, V (*function)(V), bool Whole>
[[gnu::always_inline]] inline V gate_part(const float* gate, const float* up, float* out, int left) {
  const V value = canonical(function(load_part<V, Whole>(gate, left)) * load_part<V, Whole>(up, left));
  store_part<V, Whole>(value, out, left);
  return Whole ? value : load_part<V, Whole>(out, left);
}

template <class V, V (*function)(V)>
[[gnu::always_inline]] inline void gate_block(const float* gate, const float* up, float* out, int n,
                                              RangeLanes<V>& lanes) {
  int i = 0;
  for (; i + 16 <= n; i += 16) lanes.widen(gate_part<V, function, true>(gate + i, up + i, out + i, 16));
  if (i < n) lanes.widen(gate_part<V, function, false>(gate + i, up + i, out + i, n - i));
}

/// out = function(gate) · up
template <class V, V (*function)(V)>
void multiply_gate(const GateArgs& args) noexcept {
  const int n = args.n, blocks = row_block_count(n), depth = row_block_depth(n);
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    for (int b = 0; b < blocks; ++b) {
      const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(b) * depth, at = row * args.ldx + begin;
      RowRange* range = args.ranges == nullptr ? nullptr : args.ranges + row * blocks + b;
      RangeLanes<V> lanes;
      if (range != nullptr) lanes = RangeLanes<V>::load(*range);
      gate_block<V, function>(args.gate + at, args.up + at, args.out + row * args.ldo + begin,
                              b + 1 < blocks ? depth : n - b * depth, lanes);
      if (range != nullptr) lanes.store(*range);
    }
  }
}

}  // namespace nybble::kernels
