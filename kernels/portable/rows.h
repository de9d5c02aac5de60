// Activations, LayerNorm and the small row operations on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"

namespace nybble::kernels {

/// Loads 16 values, or what is left of them with 0 beyond.
template <class V>
inline V load_at(const float* row, int i, int n) {
  return i + 16 <= n ? V::load(row + i) : V::load_first(row + i, n - i);
}

template <class V>
inline void store_at(V value, float* row, int i, int n) {
  if (i + 16 <= n) {
    value.store(row + i);
  } else {
    value.store_first(row + i, n - i);
  }
}

/// A TileEpilogue that applies `function` to each element.
template <class V, V (*function)(V)>
void each(float* tile, std::ptrdiff_t ld, int rows, int cols) {
  for (int r = 0; r < rows; ++r, tile += ld) {
    int i = 0;
    for (; i + 16 <= cols; i += 16) function(V::load(tile + i)).store(tile + i);
    if (i < cols) function(V::load_first(tile + i, cols - i)).store_first(tile + i, cols - i);
  }
}

/// Sums of 16 lanes for each of Rows rows that pass side by side, hiding the latency of each other's chains.
template <class V, int Rows>
struct Sums {
  V lanes[Rows];

  Sums() {
    for (V& lane : lanes) lane = V::set(0.0F);
  }
  /// The mean of n values of row r.
  float mean(int r, int n) const { return V::sum(lanes[r]) / static_cast<float>(n); }
};

/// y = x + residual in Rows rows from `row` on; returns the sums over the rows.
template <class V, int Rows>
inline Sums<V, Rows> add_residual(const LayerNormArgs& args, std::ptrdiff_t row) {
  Sums<V, Rows> sums;
  for (int i = 0; i < args.n; i += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      V value = load_at<V>(args.x + (row + r) * args.ldx, i, args.n);
      if (args.residual != nullptr)
        value = value + load_at<V>(args.residual + (row + r) * args.ldr, i, args.n);
      store_at(value, args.y + (row + r) * args.ldy, i, args.n);
      sums.lanes[r] = sums.lanes[r] + value;
    }
  }
  return sums;
}

/// Σ (y - mean)² of Rows rows.
template <class V, int Rows>
inline Sums<V, Rows> sum_squares(const LayerNormArgs& args, std::ptrdiff_t row, const V (&mean)[Rows]) {
  Sums<V, Rows> sums;
  const int whole = args.n / 16 * 16;
  for (int i = 0; i < whole; i += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V d = V::load(args.y + (row + r) * args.ldy + i) - mean[r];
      sums.lanes[r] = V::fma(d, d, sums.lanes[r]);
    }
  }
  for (int r = 0; whole < args.n && r < Rows; ++r) {
    float part[16] = {};  // lanes beyond the row add 0, not the square of the mean
    const int left = args.n - whole;
    (V::load_first(args.y + (row + r) * args.ldy + whole, left) - mean[r]).store_first(part, left);
    const V d = V::load(part);
    sums.lanes[r] = V::fma(d, d, sums.lanes[r]);
  }
  return sums;
}

template <class V, int Rows>
inline void layernorm_rows(const LayerNormArgs& args, std::ptrdiff_t row) {
  const int n = args.n;
  const Sums<V, Rows> sums = add_residual<V, Rows>(args, row);
  V mean[Rows], inverse[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) mean[r] = V::set(sums.mean(r, n));
  const Sums<V, Rows> squares = sum_squares<V, Rows>(args, row, mean);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    inverse[r] = V::set(1 / __builtin_sqrtf(squares.mean(r, n) + args.epsilon));
  }
  for (int i = 0; i < n; i += 16) {
    const V gamma = load_at<V>(args.gamma, i, n);
    const V beta = args.beta == nullptr ? V::set(0.0F) : load_at<V>(args.beta, i, n);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      float* y = args.y + (row + r) * args.ldy;
      const V normal = (load_at<V>(y, i, n) - mean[r]) * inverse[r];
      store_at(canonical(V::fma(normal, gamma, beta)), y, i, n);
    }
  }
}

template <class V>
void layernorm(const LayerNormArgs& args) noexcept {
  constexpr int kGroup = V::kRowsTogether;
  int row = 0;
  for (; row + kGroup <= args.m; row += kGroup) layernorm_rows<V, kGroup>(args, row);
  for (; row < args.m; ++row) layernorm_rows<V, 1>(args, row);
}

template <class V>
void embed_sum(const std::int32_t* ids, const std::int32_t* positions, const std::int32_t* types,
               const float* word, const float* position, const float* type, int m, int n, float* y,
               std::ptrdiff_t ldy) noexcept {
  for (std::ptrdiff_t row = 0; row < m; ++row) {
    const float* w = word + static_cast<std::ptrdiff_t>(ids[row]) * n;
    const float* p = position + static_cast<std::ptrdiff_t>(positions[row]) * n;
    const float* t = type == nullptr ? nullptr : type + static_cast<std::ptrdiff_t>(types[row]) * n;
    for (int i = 0; i < n; i += 16) {
      V sum = load_at<V>(w, i, n) + load_at<V>(p, i, n);
      if (t != nullptr) sum = sum + load_at<V>(t, i, n);
      store_at(canonical(sum), y + row * ldy, i, n);
    }
  }
}

template <class V>
void mean_pool(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept {
  const V count = V::set(static_cast<float>(m));
  for (int i = 0; i < n; i += 16) {
    V sum = V::set(0.0F);
    for (int row = 0; row < m; ++row) sum = sum + load_at<V>(x + row * ldx, i, n);
    store_at(canonical(sum / count), y, i, n);
  }
}

template <class V>
void l2_normalize(const float* x, int n, float* y) noexcept {
  V squares = V::set(0.0F);
  for (int i = 0; i < n; i += 16) {
    const V value = load_at<V>(x, i, n);
    squares = V::fma(value, value, squares);
  }
  const float norm = __builtin_sqrtf(V::sum(squares));
  const V divisor = V::set(norm < 1e-12F ? 1e-12F : norm);
  for (int i = 0; i < n; i += 16) store_at(canonical(load_at<V>(x, i, n) / divisor), y, i, n);
}

}  // namespace nybble::kernels
