// The least and greatest value of a row, on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

inline constexpr std::uint32_t kInfinityBits = 0x7F800000;

/// The least and greatest of 0 and a row's values, and whether all of them are finite.
struct Range {
  float low, high;
  bool finite;
};

inline float float_from(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

/// The range whose extreme bits are these (RowRange).
inline Range range_from(std::int32_t high, std::uint32_t low) {
  const bool negative = low >> 31 != 0;
  const bool finite = high < static_cast<std::int32_t>(kInfinityBits) && low < (kInfinityBits | 1U << 31);
  return {negative ? float_from(low) : 0.0F, float_from(static_cast<std::uint32_t>(high)), finite};
}

/// A RowRange in registers.
template <class V>
struct RangeLanes {
  V high = V::set(0.0F), low = V::set(0.0F);

  [[gnu::always_inline]] void widen(V value) {
    high = V::max_signed(high, value);
    low = V::max_unsigned(low, value);
  }
  Range total() const { return range_from(V::largest_signed(high), V::largest_unsigned(low)); }

  static RangeLanes load(const RowRange& range) {
    return {V::load(reinterpret_cast<const float*>(range.high)),
            V::load(reinterpret_cast<const float*>(range.low))};
  }
  void store(RowRange& range) const {
    high.store(reinterpret_cast<float*>(range.high));
    low.store(reinterpret_cast<float*>(range.low));
  }
};

/// The range of n values, without a step for what a masked load adds: 0 is in every range.
template <class V>
[[gnu::always_inline]] inline RangeLanes<V> range_of(const float* x, int n) {
  RangeLanes<V> lanes;
  int i = 0;
#pragma GCC unroll 4
  for (; i + 16 <= n; i += 16) lanes.widen(V::load(x + i));
  if (i < n) lanes.widen(V::load_first(x + i, n - i));
  return lanes;
}

}  // namespace nybble::kernels
