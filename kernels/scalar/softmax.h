// Softmax and rotary embedding, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/attention_f32.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

inline bool is_key(const SoftmaxArgs& args, int row, int column) {
  const int length = args.lengths == nullptr ? args.length : args.lengths[row];
  const std::int64_t distance = static_cast<std::int64_t>(args.first_position) + row - column;
  return column < length && (args.window < 0 || (distance <= args.window && -distance <= args.window));
}

inline void softmax_row(const SoftmaxArgs& args, int row) {
  float* x = args.x + row * args.ld;
  int first = args.n, end = 0;
  for (int j = 0; j < args.n; ++j) {
    if (!is_key(args, row, j)) {
      x[j] = 0;
      continue;
    }
    if (args.bias != nullptr) x[j] += args.bias[row * args.ld_bias + j];
    first = j < first ? j : first;
    end = j + 1;
  }
  if (first >= end) return;
  const float sum = exponentiate(x + first, first, end - first, 0.0F);
  const float inverse = sum == 0 ? 0 : 1 / sum;
  for (int j = first; j < end; ++j) x[j] = sum != sum ? canonical(sum) : x[j] * inverse;
}

inline void softmax(const SoftmaxArgs& args) noexcept {
  for (int row = 0; row < args.m; ++row) softmax_row(args, row);
}

/// Turns the pair (a, b).
inline void rotate(float& a, float& b, float cos, float sin) {
  const float turned_a = __builtin_fmaf(-b, sin, a * cos), turned_b = __builtin_fmaf(a, sin, b * cos);
  a = canonical(turned_a), b = canonical(turned_b);
}

inline void rotary(const RotaryArgs& args) noexcept {
  const int half = args.rotary_dim / 2;
  for (int row = 0; row < args.m; ++row) {
    const std::ptrdiff_t position =
        args.positions == nullptr ? args.first_position + row : args.positions[row];
    for (int head = 0; head < args.heads; ++head) {
      float* x = args.x + row * args.ldx + static_cast<std::ptrdiff_t>(head) * args.head_dim;
      for (int i = 0; i < half; ++i) {
        float &a = args.interleaved ? x[2 * i] : x[i], &b = args.interleaved ? x[2 * i + 1] : x[i + half];
        rotate(a, b, args.cos[position * half + i], args.sin[position * half + i]);
      }
    }
  }
}

}  // namespace nybble::kernels::scalar
