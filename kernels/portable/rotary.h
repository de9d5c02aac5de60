// Rotary position embedding, in place.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/rows.h"

namespace nybble::kernels {

/// Pairs (i, i + half).
template <class V>
inline void rotate_halves(float* x, const float* cos, const float* sin, int half) {
  for (int i = 0; i < half; i += 16) {
    const V a = load_at<V>(x, i, half), b = load_at<V>(x + half, i, half);
    const V c = load_at<V>(cos, i, half), s = load_at<V>(sin, i, half);
    store_at(canonical(V::fnma(b, s, a * c)), x, i, half);
    store_at(canonical(V::fma(a, s, b * c)), x + half, i, half);
  }
}

/// Pairs (2i, 2i + 1).
template <class V>
inline void rotate_pairs(float* x, const float* cos, const float* sin, int half) {
  alignas(64) static constexpr float kSigns[16] = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
  const V signs = V::load(kSigns);
  for (int i = 0; i < half; i += 8) {
    const int left = half - i < 8 ? half - i : 8;
    const V value = load_at<V>(x, 2 * i, 2 * half);
    const V c = V::load_twice(cos + i, left), s = V::load_twice(sin + i, left) * signs;
    store_at(canonical(V::fma(V::swap_pairs(value), s, value * c)), x, 2 * i, 2 * half);
  }
}

template <class V>
void rotary(const RotaryArgs& args) noexcept {
  const int half = args.rotary_dim / 2;
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    const std::ptrdiff_t position =
        args.positions == nullptr ? args.first_position + row : args.positions[row];
    const float *cos = args.cos + position * half, *sin = args.sin + position * half;
    for (std::ptrdiff_t head = 0; head < args.heads; ++head) {
      float* x = args.x + row * args.ldx + head * args.head_dim;
      if (args.interleaved) {
        rotate_pairs<V>(x, cos, sin, half);
      } else {
        rotate_halves<V>(x, cos, sin, half);
      }
    }
  }
}

}  // namespace nybble::kernels
