// Attention in integers, literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/scalar/attention_f32.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/quantize.h"

namespace nybble::kernels::scalar {

/// The scale of n values `stride` apart and their codes, side by side.
inline float quantize_s8(const float* x, std::ptrdiff_t stride, int n, std::int8_t* codes) {
  float most = 0;
  for (int i = 0; i < n; ++i) {
    const float magnitude = F32x1::abs({x[i * stride]}).value;
    if (!is_finite(magnitude)) most = from_bits(0x7FC00000);
    if (magnitude > most) most = magnitude;
  }
  const bool usable = most >= 0x1p-100F;
  for (int i = 0; i < n; ++i) {
    const float whole = __builtin_fmaf(x[i * stride], 127 / most, 0x1.8p+23F) - 0x1.8p+23F;
    codes[i] = usable ? static_cast<std::int8_t>(whole) : std::int8_t{0};
  }
  if (usable) return most / 127;
  return most != most ? most : 0;
}

/// 2^n · Σ c[j]·(z - n)^j, n = rint(z), for -64 ≤ z ≤ 0.
template <int N>
inline float unrounded_weight(const float (&c)[N], float z) {
  const float n = __builtin_rintf(z);
  const float p = polynomial(c, F32x1{z - n}).value;
  const auto exponent = static_cast<std::uint32_t>(static_cast<std::int32_t>(n));
  return from_bits(to_bits(p) + (exponent << 23));
}

template <int N>
inline std::int32_t weight_of(const float (&c)[N], float z) {
  return z < -64 ? 0 : static_cast<std::int32_t>(__builtin_rintf(unrounded_weight(c, z)));
}

/// One call's integers: codes of K [key][head_dim] and of V [column][key], and a row's own.
struct IntegerScratch {
  std::int8_t *k, *v, *q;
  float *k_scale, *v_scale, *scores;
};

inline IntegerScratch integer_scratch(const AttentionArgs& args) {
  const auto length = static_cast<std::ptrdiff_t>(round_up(args.length, 16));
  float* scores = args.scratch;
  float* k_scale = scores + length;
  float* v_scale = k_scale + length;
  auto* k = reinterpret_cast<std::int8_t*>(v_scale + args.head_dim);
  std::int8_t* v = k + length * args.head_dim;
  return {k, v, v + length * args.head_dim, k_scale, v_scale, scores};
}

inline float integer_score(const AttentionArgs& args, const IntegerScratch& s, int row, int key,
                           float factor) {
  std::int32_t sum = 0;
  for (int d = 0; d < args.head_dim; ++d) {
    sum += s.q[d] * s.k[static_cast<std::ptrdiff_t>(key) * args.head_dim + d];
  }
  const float score = static_cast<float>(sum) * (factor * s.k_scale[key]);
  if (args.bias == nullptr) return score;
  return __builtin_fmaf(args.bias[row * args.ld_bias + key], kLog2E, score);
}

/// The greatest of the scores that are not NaN, and whether all of them are below +infinity and none is NaN.
struct Greatest {
  float score;
  bool usable;
};

inline Greatest greatest_of(const float* scores, int begin, int end) {
  Greatest most{-__builtin_inff(), true};
  for (int key = begin; key < end; ++key) {
    most.usable = most.usable && scores[key] < __builtin_inff();
    most.score = scores[key] > most.score ? scores[key] : most.score;
  }
  return most;
}

inline void integer_output(const AttentionArgs& args, const IntegerScratch& s, int row, SeenKeys keys) {
  const bool wide = attention_s8_is_wide(args.length, args.window);
  const Greatest most = greatest_of(s.scores, keys.begin, keys.end);
  float* out = args.out + row * args.ldo;
  for (int d = 0; d < args.head_dim; ++d) out[d] = most.usable ? 0 : from_bits(0x7FC00000);
  if (!most.usable || most.score == -__builtin_inff()) return;
  std::int64_t mass = 0;
  for (int key = keys.begin; key < keys.end; ++key) {
    const float z = s.scores[key] - most.score;
    const std::int32_t weight = wide ? weight_of(kExp2Of65535, z) : weight_of(kExp2Of255, z);
    s.scores[key] = static_cast<float>(weight);
    mass += weight;
  }
  const float inverse = 1 / static_cast<float>(mass);
  for (int d = 0; d < args.head_dim; ++d) {
    const std::int8_t* v = s.v + static_cast<std::ptrdiff_t>(d) * args.length;
    std::int64_t sum = 0;
    for (int key = keys.begin; key < keys.end; ++key)
      sum += static_cast<std::int64_t>(s.scores[key]) * v[key];
    out[d] = canonical(static_cast<float>(sum) * inverse * s.v_scale[d]);
  }
}

inline void attention_s8(const AttentionArgs& args) noexcept {
  const IntegerScratch s = integer_scratch(args);
  for (std::ptrdiff_t key = 0; key < args.length; ++key) {
    s.k_scale[key] = quantize_s8(args.k + key * args.ldk, 1, args.head_dim, s.k + key * args.head_dim);
  }
  for (std::ptrdiff_t d = 0; d < args.head_dim; ++d) {
    s.v_scale[d] = quantize_s8(args.v + d, args.ldv, args.length, s.v + d * args.length);
  }
  for (int row = args.row_begin; row < args.row_end; ++row) {
    const SeenKeys keys = seen_keys(args, row);
    const float scale = quantize_s8(args.q + row * args.ldq, 1, args.head_dim, s.q);
    const float factor = scale * (args.scale * kLog2E);
    for (int key = keys.begin; key < keys.end; ++key) {
      s.scores[key] = integer_score(args, s, row, key, factor);
    }
    integer_output(args, s, row, keys);
  }
}

}  // namespace nybble::kernels::scalar
