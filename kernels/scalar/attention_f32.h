// Attention in floats, literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/lanes.h"

namespace nybble::kernels::scalar {

/// scores[key] = scale · (q · k[key]): one FMA chain a key.
inline void score_row(const AttentionArgs& args, int row, float* scores) {
  const float* q = args.q + row * args.ldq;
  for (int key = 0; key < args.length; ++key) {
    const float* k = args.k + key * args.ldk;
    float sum = 0;
    for (int d = 0; d < args.head_dim; ++d) sum = __builtin_fmaf(q[d], k[d], sum);
    scores[key] = sum * args.scale;
  }
}

/// scores become exp(score - max); returns their sum.
inline float exponentiate(float* scores, int length) {
  float largest = -__builtin_inff();
  for (int key = 0; key < length; ++key) largest = scores[key] > largest ? scores[key] : largest;
  Lanes sum;
  for (int key = 0; key < length; ++key) {
    scores[key] = exp_below_overflow(F32x1{scores[key] - largest}).value;
    sum.add(key, scores[key]);
  }
  return sum.total();
}

inline void attention_f32(const AttentionArgs& args) noexcept {
  float* scores = args.scratch;
  for (int row = args.row_begin; row < args.row_end; ++row) {
    score_row(args, row, scores);
    const float sum = exponentiate(scores, args.length);
    for (int d = 0; d < args.head_dim; ++d) {
      float value = 0;
      for (int key = 0; key < args.length; ++key) {
        value = __builtin_fmaf(scores[key], args.v[key * args.ldv + d], value);
      }
      args.out[row * args.ldo + d] = canonical(value / sum);
    }
  }
}

}  // namespace nybble::kernels::scalar
