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

/// y = x + residual; returns the sum over the row.
template <class V>
inline float add_residual(const float* x, const float* residual, int n, float* y) {
  V sum = V::set(0.0F);
  for (int i = 0; i < n; i += 16) {
    V value = load_at<V>(x, i, n);
    if (residual != nullptr) value = value + load_at<V>(residual, i, n);
    store_at(value, y, i, n);
    sum = sum + value;
  }
  return V::sum(sum);
}

/// Σ (y - mean)²
template <class V>
inline float sum_of_squares(const float* y, int n, float mean) {
  V sum = V::set(0.0F);
  const V centre = V::set(mean);
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    const V d = V::load(y + i) - centre;
    sum = V::fma(d, d, sum);
  }
  if (i < n) {
    V d = V::load_first(y + i, n - i) - centre;
    float part[16] = {};  // lanes beyond the row add 0, not the square of the mean
    d.store_first(part, n - i);
    d = V::load(part);
    sum = V::fma(d, d, sum);
  }
  return V::sum(sum);
}

template <class V>
inline void layernorm_row(const LayerNormArgs& args, int row) {
  const float* residual = args.residual == nullptr ? nullptr : args.residual + row * args.ldr;
  float* y = args.y + row * args.ldy;
  const int n = args.n;
  const float mean = add_residual<V>(args.x + row * args.ldx, residual, n, y) / static_cast<float>(n);
  const float variance = sum_of_squares<V>(y, n, mean) / static_cast<float>(n);
  const V centre = V::set(mean), inverse = V::set(1 / __builtin_sqrtf(variance + args.epsilon));
  for (int i = 0; i < n; i += 16) {
    const V beta = args.beta == nullptr ? V::set(0.0F) : load_at<V>(args.beta, i, n);
    const V normal = (load_at<V>(y, i, n) - centre) * inverse;
    store_at(canonical(V::fma(normal, load_at<V>(args.gamma, i, n), beta)), y, i, n);
  }
}

template <class V>
void layernorm(const LayerNormArgs& args) noexcept {
  for (int row = 0; row < args.m; ++row) layernorm_row<V>(args, row);
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
