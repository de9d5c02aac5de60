// LayerNorm and the small row operations on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

// LayerNorm takes Rows rows side by side, which hide the latency of each other's chains. Its steps of 16
// columns are always inlined and unrolled over the rows, and the rows' addresses are locals, so that all of
// it lives in registers.

/// The addresses of Rows rows.
template <int Rows>
struct NormRows {
  const float* x[Rows];
  const float* residual[Rows];  ///< null: none
  float* y[Rows];
};

template <int Rows>
[[gnu::always_inline]] inline NormRows<Rows> norm_rows(const LayerNormArgs& args, std::ptrdiff_t row) {
  NormRows<Rows> rows;
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    rows.x[r] = args.x + (row + r) * args.ldx;
    rows.residual[r] = args.residual == nullptr ? nullptr : args.residual + (row + r) * args.ldr;
    rows.y[r] = args.y + (row + r) * args.ldy;
  }
  return rows;
}

/// y = x + residual, added to the sums.
template <class V, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_residual(const NormRows<Rows>& rows, int i, int left, V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V value = load_part<V, Whole>(rows.x[r] + i, left);
    if (rows.residual[r] != nullptr) value = value + load_part<V, Whole>(rows.residual[r] + i, left);
    store_part<V, Whole>(value, rows.y[r] + i, left);
    sum[r] = sum[r] + value;
  }
}

/// (y - mean)², added to the sums.
template <class V, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_squares(const NormRows<Rows>& rows, int i, int left,
                                               const V (&mean)[Rows], V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V d = load_part<V, Whole>(rows.y[r] + i, left) - mean[r];
    if constexpr (!Whole) {  // lanes beyond the row add 0, not the square of the mean
      float part[16] = {};
      d.store_first(part, left);
      d = V::load(part);
    }
    sum[r] = V::fma(d, d, sum[r]);
  }
}

/// y = (y - mean) · inverse · gamma + beta
template <class V, bool Whole, int Rows>
[[gnu::always_inline]] inline void scale_columns(const NormRows<Rows>& rows, int i, int left,
                                                 const V (&mean)[Rows], const V (&inverse)[Rows], V gamma,
                                                 V beta) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const V normal = (load_part<V, Whole>(rows.y[r] + i, left) - mean[r]) * inverse[r];
    store_part<V, Whole>(canonical(V::fma(normal, gamma, beta)), rows.y[r] + i, left);
  }
}

template <class V, int Rows>
inline void layernorm_rows(const LayerNormArgs& args, std::ptrdiff_t row) {
  const NormRows<Rows> rows = norm_rows<Rows>(args, row);
  const float *gamma = args.gamma, *beta = args.beta;
  const int n = args.n, whole = n / 16 * 16, left = n - whole;
  const float count = static_cast<float>(n), epsilon = args.epsilon;
  V sum[Rows], mean[Rows], inverse[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sum[r] = V::set(0.0F);
  for (int i = 0; i < whole; i += 16) add_residual<V, true>(rows, i, 16, sum);
  if (left > 0) add_residual<V, false>(rows, whole, left, sum);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    mean[r] = V::set(V::sum(sum[r]) / count);
    sum[r] = V::set(0.0F);
  }
  for (int i = 0; i < whole; i += 16) add_squares<V, true>(rows, i, 16, mean, sum);
  if (left > 0) add_squares<V, false>(rows, whole, left, mean, sum);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) inverse[r] = V::set(1 / __builtin_sqrtf(V::sum(sum[r]) / count + epsilon));
  for (int i = 0; i < n; i += 16) {
    const V g = load_at<V>(gamma, i, n), b = beta == nullptr ? V::set(0.0F) : load_at<V>(beta, i, n);
    if (i < whole) {
      scale_columns<V, true>(rows, i, 16, mean, inverse, g, b);
    } else {
      scale_columns<V, false>(rows, i, left, mean, inverse, g, b);
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
