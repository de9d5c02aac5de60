// exp and the GELU family, once for every width: V is a vector of floats (x86/f32x16_*.h) or one float
// (scalar/f32x1.h). Each V offers the same operations with the same roundings, so the bits are the same.
#pragma once

#include "kernels/portable/function_coefficients.h"

namespace nybble::kernels {

inline constexpr float kLog2E = 0x1.715476p+0F;

/// NaN becomes 0x7FC00000, the only NaN that kernels write; everything else stays.
template <class V>
inline V canonical(V x) {
  return V::select(V::is_nan(x), V::canonical_nan(), x);
}

/// max(x, 0), +0 for -0; NaN is 0x7FC00000.
template <class V>
inline V positive_part(V x) {
  return V::select(V::is_nan(x), V::canonical_nan(), V::max_signed(x, V::set(0.0F)));
}

/// exp(x) to 1 ulp where the result is finite: 0 from -87.33 down, where results would be denormal; NaN stays
/// some NaN.
template <class V>
inline V exp_below_overflow(V x) {
  const V shift = V::set(0x1.8p+23F);  // adding it leaves rint(x / ln 2) in the low bits of the float
  const V shifted = V::fma(x, V::set(0x1.715476p+0F), shift);
  const V n = shifted - shift;
  V r = V::fma(n, V::set(-0x1.62e4p-1F), x);  // ln 2 in two parts; the first has 15 bits: n · it is exact
  r = V::fma(n, V::set(-0x1.7f7d1cp-20F), r);
  V p = V::set(kExpCoefficients[4]);
  for (int j = 3; j >= 0; --j) p = V::fma(p, r, V::set(kExpCoefficients[j]));
  p = V::fma(V::fma(p, r, V::set(1.0F)), r, V::set(1.0F));
  const V edge = V::max(V::set(0.0F), x);  // 0 for what is far below, NaN for NaN
  return V::select(V::less(V::set(-87.33F), x), V::add_to_exponent(p, shifted), edge);
}

/// exp(x) to 1 ulp: infinity above 88.72.
template <class V>
inline V exp(V x) {
  return V::select(V::less(V::set(88.72F), x), V::set(__builtin_inff()), exp_below_overflow(x));
}

/// c[0] + c[1]·r + … by Horner's rule.
template <class V, int N>
inline V polynomial(const float (&c)[N], V r) {
  V p = V::set(c[N - 1]);
#pragma GCC unroll 8
  for (int j = N - 2; j >= 0; --j) p = V::fma(p, r, V::set(c[j]));
  return p;
}

/// Φ(-a), the upper tail of the normal distribution, for 0 ≤ a ≤ 5.9: one polynomial a centre j · 0.8.
template <class V>
inline V normal_tail(V a) {
  const V shift = V::set(0x1.8p+23F);
  const V shifted = V::fma(a, V::set(1.25F), shift);
  const V t = V::fma(shifted - shift, V::set(-0.8F), a);
  V p = V::lookup8(kNormalTail[7], shifted);
  for (int d = 6; d >= 0; --d) p = V::fma(p, t, V::lookup8(kNormalTail[d], shifted));
  return p;
}

/// x · Φ(x) = max(x, 0) - |x| · Φ(-|x|): relatively exact where x is negative, as 1 + erf(x/√2) is not.
template <class V>
inline V gelu_erf(V x) {
  const V limit = V::set(5.9F);  // beyond it |x| · Φ(-|x|) < 1.1e-8
  const V magnitude = V::abs(x);
  const V a = V::min(magnitude, limit);
  const V tail = V::zero_where(V::less(limit, magnitude), normal_tail(a));
  return V::fnma(a, tail, positive_part(x));
}

/// positive - a · p(a)²: gelu_erf_q from max(x, 0) and a = min(|x|, 3.7).
template <class V>
inline V less_gelu_tail(V positive, V a) {
  V p = V::set(kGeluQCoefficients[4]);
#pragma GCC unroll 4
  for (int j = 3; j >= 0; --j) p = V::fma(p, a, V::set(kGeluQCoefficients[j]));
  return V::fnma(a * p, p, positive);
}

/// gelu_erf to 2.4e-4 by the square of one polynomial and no division: for values about to be quantized to 8
/// bits. The square halves the degree that the same error needs: 6 multiplications in all.
template <class V>
inline V gelu_erf_q(V x) {
  const V a = V::min_unsigned(V::abs(x), V::set(3.7F));  // 3.7 for NaN
  return less_gelu_tail(positive_part(x), a);
}

/// gelu_erf_q, of NaN some NaN without a sign: where a range sees it next and it goes nowhere else. 2
/// operations of 13 less.
template <class V>
inline V gelu_erf_q_ranged(V x) {
  const V a = V::min(V::set(3.7F), V::abs(x));  // of two, one of them NaN, the second
  return less_gelu_tail(V::max_signed(x, V::set(0.0F)), a);
}

/// 0.5·x·(1 + tanh(u)) = x / (1 + exp(-2u)), u = √(2/π)·(x + 0.044715·x³).
template <class V>
inline V gelu_tanh(V x) {
  const V cubic = V::set(-0x1.2444f2p-4F), linear = V::set(-0x1.988454p+0F);  // of -2u
  const V minus_two_u = x * V::fma(x * x, cubic, linear);
  return canonical(x / (V::set(1.0F) + exp(minus_two_u)));
}

/// 1 / (1 + exp(-x))
template <class V>
inline V sigmoid(V x) {
  return canonical(V::set(1.0F) / (V::set(1.0F) + exp(V::set(0.0F) - x)));
}

/// x · sigmoid(x) = x / (1 + exp(-x)); NaN for -infinity.
template <class V>
inline V silu(V x) {
  return canonical(x / (V::set(1.0F) + exp(V::set(0.0F) - x)));
}

/// e / (e + 2), e = exp(2|x|) - 1 by the polynomial of exp, which without its 1 is exact near 0 too; +0 for
/// -0.
template <class V>
inline V tanh(V x) {
  const V a = V::min_unsigned(V::abs(x), V::set(10.0F));  // tanh(10) rounds to 1
  const V y = a + a, shift = V::set(0x1.8p+23F);
  const V shifted = V::fma(y, V::set(0x1.715476p+0F), shift);
  const V n = shifted - shift;
  V r = V::fma(n, V::set(-0x1.62e4p-1F), y);
  r = V::fma(n, V::set(-0x1.7f7d1cp-20F), r);
  V p = V::set(kExpCoefficients[4]);
  for (int j = 3; j >= 0; --j) p = V::fma(p, r, V::set(kExpCoefficients[j]));
  const V power = V::add_to_exponent(V::set(1.0F), shifted);
  const V e = V::fma(power, V::fma(r * r, p, r), power - V::set(1.0F));
  const V magnitude = e / (e + V::set(2.0F));
  const V result = V::select(V::less(x, V::set(0.0F)), V::set(0.0F) - magnitude, magnitude);
  return V::select(V::is_nan(x), V::canonical_nan(), result);
}

/// max(x, 0); NaN stays NaN.
template <class V>
inline V relu(V x) {
  return positive_part(x);
}

}  // namespace nybble::kernels
