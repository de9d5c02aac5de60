// Rows to u8 and u4, literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

inline bool is_finite(float x) { return (to_bits(x) & 0x7F800000) != 0x7F800000; }

/// What 8-bit and 4-bit rows differ in: least and greatest code, and the code and zero of a block without a
/// range.
struct RowLevels {
  int least, greatest, middle;
};
inline constexpr RowLevels kU8 = {1, 255, 128}, kU4 = {0, 15, 8};

/// Scale and zero of one block of a row, x[0..k), and its codes.
inline RowScale quantize_block(const float* x, int k, const RowLevels& levels, std::uint8_t* codes) {
  float low = 0, high = 0;
  bool finite = true;
  for (int i = 0; i < k; ++i) {
    finite = finite && is_finite(x[i]);
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
  }
  const float span = high - low;
  const bool usable = finite && is_finite(span);
  if (!usable || span < 0x1p-100F) {
    for (int i = 0; i < k; ++i) codes[i] = static_cast<std::uint8_t>(levels.middle);
    return {usable ? 0.0F : from_bits(0x7FC00000), levels.middle};
  }
  const auto least = static_cast<float>(levels.least), greatest = static_cast<float>(levels.greatest);
  const float steps = greatest - least, inverse = steps / span;
  const float zero = least + __builtin_rintf(-low * inverse);
  for (int i = 0; i < k; ++i) {
    const float code = __builtin_rintf(__builtin_fmaf(x[i], inverse, zero));
    codes[i] = static_cast<std::uint8_t>(code < least ? least : code > greatest ? greatest : code);
  }
  return {span / steps, static_cast<std::int32_t>(zero)};
}

inline void quantize_rows_u8(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q,
                             std::ptrdiff_t ldq, RowScale* rows) noexcept {
  const int blocks = row_block_count(k), depth = row_block_depth(k);
  for (int row = 0; row < m; ++row) {
    for (int b = 0; b < blocks; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      rows[static_cast<std::ptrdiff_t>(row) * blocks + b] =
          quantize_block(x + row * ldx + begin, length, kU8, q + row * ldq + begin);
    }
    for (int i = k; i < padded_depth(k); ++i) q[row * ldq + i] = 128;
  }
}

inline void quantize_rows_u4(const float* x, std::ptrdiff_t ldx, int m, int k, int row_block, std::uint8_t* q,
                             std::ptrdiff_t ldq, RowScale* rows) noexcept {
  const PackFormat format{.bits = 4, .row_block = row_block};
  const int blocks = row_block_count(k, format), depth = row_block_depth(k, format);
  for (int row = 0; row < m; ++row) {
    std::uint8_t* bytes = q + row * ldq;
    for (int i = 0; i < padded_depth(k) / 2; ++i) bytes[i] = 0;
    for (int b = 0; b < blocks; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      std::uint8_t codes[kSingleBlockDepth];
      rows[static_cast<std::ptrdiff_t>(row) * blocks + b] =
          quantize_block(x + row * ldx + begin, length, kU4, codes);
      for (int i = 0; i < length; ++i) {
        const int k_of = begin + i;
        bytes[k_of / 8 * 4 + k_of % 4] |= static_cast<std::uint8_t>(codes[i] << (k_of % 8 < 4 ? 0 : 4));
      }
    }
  }
}

inline float absmax(const float* x, std::ptrdiff_t n) noexcept {
  float largest = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    if (!is_finite(x[i])) return from_bits(0x7FC00000);
    const float magnitude = from_bits(to_bits(x[i]) & 0x7FFFFFFF);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

}  // namespace nybble::kernels::scalar
