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

struct Range {
  float low = 0, high = 0;
  bool finite = true;
};

inline Range range_of(const float* x, int k) {
  Range range;
  for (int i = 0; i < k; ++i) {
    range.finite = range.finite && is_finite(x[i]);
    if (x[i] < range.low) range.low = x[i];
    if (x[i] > range.high) range.high = x[i];
  }
  return range;
}

/// The range of all values that widened `lanes`: the bits of one of them are its least, of one its greatest.
inline Range range_of(const RowRange& lanes) {
  Range range;
  for (int i = 0; i < 16; ++i) {
    const float high = from_bits(static_cast<std::uint32_t>(lanes.high[i])), low = from_bits(lanes.low[i]);
    range.finite = range.finite && is_finite(high) && is_finite(low);
    if (low < range.low) range.low = low;
    if (high > range.high) range.high = high;
  }
  return range;
}

/// Quantizes one block of a row: x[0..k) to codes[0..k).
inline RowScale quantize_block(const Range& range, const float* x, int k, const RowLevels& levels,
                               std::uint8_t* codes) {
  const float span = range.high - range.low;
  const bool usable = range.finite && is_finite(span);
  if (!usable || span < 0x1p-100F) {
    for (int i = 0; i < k; ++i) codes[i] = static_cast<std::uint8_t>(levels.middle);
    return {usable ? 0.0F : from_bits(0x7FC00000), levels.middle};
  }
  const auto least = static_cast<float>(levels.least), greatest = static_cast<float>(levels.greatest);
  const float steps = greatest - least, inverse = steps / span;
  const float zero = least + __builtin_rintf(-range.low * inverse);
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
      const float* block = x + row * ldx + begin;
      rows[static_cast<std::ptrdiff_t>(row) * blocks + b] =
          quantize_block(range_of(block, length), block, length, kU8, q + row * ldq + begin);
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
          quantize_block(range_of(x + row * ldx + begin, length), x + row * ldx + begin, length, kU4, codes);
      for (int i = 0; i < length; ++i) {
        const int k_of = begin + i;
        bytes[k_of / 8 * 4 + k_of % 4] |= static_cast<std::uint8_t>(codes[i] << (k_of % 8 < 4 ? 0 : 4));
      }
    }
  }
}

inline void quantize_ranged_u8(const RangedRows& args) noexcept {
  const int k = args.k, blocks = row_block_count(k), depth = row_block_depth(k);
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    const float* x = args.x + row * args.ldx;
    std::uint8_t* q = args.q + row * args.ldq;
    for (int b = args.block_begin; b < args.block_end; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      const Range range = range_of(args.ranges[row * blocks + b]);
      args.rows[row * blocks + b] = quantize_block(range, x + begin, length, kU8, q + begin);
    }
    for (int i = k; args.block_end == blocks && i < padded_depth(k); ++i) q[i] = 128;
  }
}

template <F32x1 (*function)(F32x1)>
void activate_quantize_rows_u8(const ActivatedRows& args) noexcept {
  const int k = args.k, blocks = row_block_count(k), depth = row_block_depth(k);
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    std::uint8_t* q = args.q + row * args.ldq;
    for (int b = args.block_begin; b < args.block_end; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      float* x = args.x + row * args.ldx + begin;
      for (int i = 0; i < length; ++i) x[i] = function({x[i]}).value;
      args.rows[row * blocks + b] = quantize_block(range_of(x, length), x, length, kU8, q + begin);
    }
    for (int i = k; args.block_end == blocks && i < padded_depth(k); ++i) q[i] = 128;
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
