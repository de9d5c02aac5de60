// Attention in floats, literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/lanes.h"

namespace nybble::kernels::scalar {

/// The keys that a query sees, first and end.
struct SeenKeys {
  int begin, end;
};

inline SeenKeys seen_keys(const AttentionArgs& args, int row) {
  SeenKeys keys{args.length, 0};
  for (int key = 0; key < args.length; ++key) {
    const int distance = row > key ? row - key : key - row;
    if (args.window >= 0 && distance > args.window) continue;
    if (key < keys.begin) keys.begin = key;
    keys.end = key + 1;
  }
  return keys;
}

/// scale · (q · k[key]) + bias: one FMA chain.
inline float score_of(const AttentionArgs& args, int row, int key) {
  const float* q = args.q + row * args.ldq;
  const float* k = args.k + key * args.ldk;
  float sum = 0;
  for (int d = 0; d < args.head_dim; ++d) sum = __builtin_fmaf(q[d], k[d], sum);
  const float score = sum * args.scale;
  return args.bias == nullptr ? score : score + args.bias[row * args.ld_bias + key];
}

/// scores become exp(score - max), `none` being taken for a max of -infinity; returns their sum. scores[0] is
/// that of key `first`, which says the lane.
inline float exponentiate(float* scores, int first, int count, float none) {
  float largest = -__builtin_inff();
  for (int i = 0; i < count; ++i) largest = scores[i] > largest ? scores[i] : largest;
  if (largest == -__builtin_inff()) largest = none;
  Lanes sum;
  for (int i = 0; i < count; ++i) {
    scores[i] = exp_below_overflow(F32x1{scores[i] - largest}).value;
    sum.add(first + i, scores[i]);
  }
  return sum.total();
}

inline void attention_f32(const AttentionArgs& args) noexcept {
  float* scores = args.scratch;
  const float none = args.bias == nullptr ? -__builtin_inff() : 0.0F;
  for (int row = args.row_begin; row < args.row_end; ++row) {
    const SeenKeys keys = seen_keys(args, row);
    for (int key = keys.begin; key < keys.end; ++key) scores[key - keys.begin] = score_of(args, row, key);
    float sum = exponentiate(scores, keys.begin, keys.end - keys.begin, none);
    if (sum == 0) sum = 1;
    for (int d = 0; d < args.head_dim; ++d) {
      float value = 0;
      for (int key = keys.begin; key < keys.end; ++key) {
        value = __builtin_fmaf(scores[key - keys.begin], args.v[key * args.ldv + d], value);
      }
      args.out[row * args.ldo + d] = canonical(value / sum);
    }
  }
}

}  // namespace nybble::kernels::scalar
