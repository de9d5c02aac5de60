// Rows to u8, weights to s8 and their pack, literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

inline bool is_finite(float x) { return (to_bits(x) & 0x7F800000) != 0x7F800000; }

inline std::uint8_t code_of(float x, float inverse, float zero) {
  const float code = __builtin_rintf(__builtin_fmaf(x, inverse, zero));
  return static_cast<std::uint8_t>(code < 1 ? 1 : code > 255 ? 255 : code);
}

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

/// Quantizes one block of a row: x[0..k) to q[0..k).
inline RowScale quantize_block(const Range& range, const float* x, int k, std::uint8_t* q) {
  const float span = range.high - range.low;
  const bool usable = range.finite && is_finite(span);
  if (!usable || span < 0x1p-100F) {
    for (int i = 0; i < k; ++i) q[i] = 128;
    return {usable ? 0.0F : from_bits(0x7FC00000), 128};
  }
  const float inverse = 254 / span;
  const float zero = 1 + __builtin_rintf(-range.low * inverse);
  for (int i = 0; i < k; ++i) q[i] = code_of(x[i], inverse, zero);
  return {span / 254, static_cast<std::int32_t>(zero)};
}

inline void quantize_rows_u8(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q,
                             std::ptrdiff_t ldq, RowScale* rows) noexcept {
  const int blocks = row_block_count(k), depth = row_block_depth(k);
  for (int row = 0; row < m; ++row) {
    for (int b = 0; b < blocks; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      rows[static_cast<std::ptrdiff_t>(row) * blocks + b] = quantize_block(
          range_of(x + row * ldx + begin, length), x + row * ldx + begin, length, q + row * ldq + begin);
    }
    for (int i = k; i < padded_depth(k); ++i) q[row * ldq + i] = 128;
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
      args.rows[row * blocks + b] = quantize_block(range, x + begin, length, q + begin);
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
      args.rows[row * blocks + b] = quantize_block(range_of(x, length), x, length, q + begin);
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

inline std::int8_t weight_code(float w, float scale) {
  if (scale == 0) return 0;
  const float code = __builtin_rintf(w / scale);
  return static_cast<std::int8_t>(code < -128 ? -128 : code > 127 ? 127 : code);
}

inline void pack_s8(const float* w, std::ptrdiff_t ldw, int n, int k, const float* scale, const float* bias,
                    int panel, std::byte* pack) noexcept {
  const int width = panel_width(n, panel), first = panel * kPanelColumns, depth = row_block_depth(k);
  auto* weights = reinterpret_cast<std::int8_t*>(pack + panel_offset_s8(k, panel));
  auto* colsum = reinterpret_cast<std::int32_t*>(weights + panel_weight_bytes_s8(n, k, panel));
  auto* scales = reinterpret_cast<float*>(colsum + row_block_count(k) * kPanelColumns);
  float* biases = scales + kPanelColumns;
  for (int i = 0; i < row_block_count(k) * kPanelColumns; ++i) colsum[i] = 0;
  for (int column = 0; column < kPanelColumns; ++column) {
    const int channel = first + column;
    scales[column] = channel < n ? scale[channel] : 0;
    biases[column] = channel < n && bias != nullptr ? bias[channel] : 0;
    if (column >= width) continue;
    for (int i = 0; i < padded_depth(k); ++i) {
      const bool real = channel < n && i < k;
      const std::int8_t code = real ? weight_code(w[channel * ldw + i], scale[channel]) : std::int8_t{0};
      weights[(i / 4) * width * 4 + column * 4 + i % 4] = code;
      if (real) colsum[(i / depth) * kPanelColumns + column] += code;
    }
  }
}

}  // namespace nybble::kernels::scalar
