// One float with the operations that portable/functions.h asks of a vector.
#pragma once

#include <cstdint>
#include <cstring>

namespace nybble::kernels::scalar {

inline float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::uint32_t to_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

struct F32x1 {
  float value;
  using Mask = bool;

  static F32x1 set(float x) { return {x}; }
  static F32x1 canonical_nan() { return {from_bits(0x7FC00000)}; }
  static F32x1 abs(F32x1 a) { return {from_bits(to_bits(a.value) & 0x7FFFFFFF)}; }
  static F32x1 max(F32x1 a, F32x1 b) { return {a.value > b.value ? a.value : b.value}; }
  static F32x1 min(F32x1 a, F32x1 b) { return {a.value < b.value ? a.value : b.value}; }
  /// The greater and lesser of the bits, taken as integers.
  static F32x1 max_signed(F32x1 a, F32x1 b) {
    const auto x = static_cast<std::int32_t>(to_bits(a.value)),
               y = static_cast<std::int32_t>(to_bits(b.value));
    return {from_bits(static_cast<std::uint32_t>(x > y ? x : y))};
  }
  static F32x1 min_unsigned(F32x1 a, F32x1 b) {
    return {to_bits(a.value) < to_bits(b.value) ? a.value : b.value};
  }
  static F32x1 fma(F32x1 a, F32x1 b, F32x1 c) { return {__builtin_fmaf(a.value, b.value, c.value)}; }
  static F32x1 fnma(F32x1 a, F32x1 b, F32x1 c) { return {__builtin_fmaf(-a.value, b.value, c.value)}; }
  static Mask is_nan(F32x1 a) { return a.value != a.value; }
  static Mask less(F32x1 a, F32x1 b) { return a.value < b.value; }
  static F32x1 select(Mask mask, F32x1 yes, F32x1 no) { return mask ? yes : no; }
  static F32x1 zero_where(Mask mask, F32x1 a) { return {mask ? 0.0F : a.value}; }
  /// a · 2^n where n stands in the low bits of `shifted`; a and the result are normal.
  static F32x1 add_to_exponent(F32x1 a, F32x1 shifted) {
    return {from_bits(to_bits(a.value) + (to_bits(shifted.value) << 23))};
  }
  /// table[n], n being the low three bits of `shifted`.
  static F32x1 lookup8(const float* table, F32x1 shifted) { return {table[to_bits(shifted.value) & 7]}; }

  friend F32x1 operator+(F32x1 a, F32x1 b) { return {a.value + b.value}; }
  friend F32x1 operator-(F32x1 a, F32x1 b) { return {a.value - b.value}; }
  friend F32x1 operator*(F32x1 a, F32x1 b) { return {a.value * b.value}; }
  friend F32x1 operator/(F32x1 a, F32x1 b) { return {a.value / b.value}; }
};

inline float canonical(float x) { return x != x ? from_bits(0x7FC00000) : x; }

}  // namespace nybble::kernels::scalar
