// The small row operations on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

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
