// Rows to u8, weights to s8 and their pack, on vectors of 16 floats.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/portable/range.h"

namespace nybble::kernels {

/// The codes of x[0..k), whose values are within the range that gave `scale` and `offset`.
template <class V>
inline void write_codes(const float* x, int k, V scale, V offset, std::uint8_t* q) {
  int i = 0;
  for (; i + 64 <= k; i += 64) {
    V codes[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) codes[j] = V::fma(V::load(x + i + j * 16), scale, offset);
    V::store_codes(codes, q + i);
  }
  for (; i + 16 <= k; i += 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), V::to_codes(V::fma(V::load(x + i), scale, offset)));
  }
  if (i < k) {
    const V last = V::load_first(x + i, k - i);
    V::store_first_bytes(V::to_codes(V::fma(last, scale, offset)), q + i, k - i);
  }
}

/// Quantizes one block of a row, x[0..k) to q[0..k), whose range is known.
template <class V>
inline RowScale quantize_block(const Range& range, const float* x, int k, std::uint8_t* q) {
  const float span = range.high - range.low;
  const bool usable = range.finite && span <= __FLT_MAX__;
  if (!usable || span < 0x1p-100F) {
    std::memset(q, 128, static_cast<std::size_t>(k));
    return {usable ? 0.0F : float_from(0x7FC00000), 128};
  }
  const float inverse = 254 / span;
  const float zero = 1 + V::round_one(-range.low * inverse);
  write_codes(x, k, V::set(inverse), V::set(zero), q);
  return {span / 254, static_cast<std::int32_t>(zero)};
}

template <class V, int Rows>
inline void quantize_group(const float* x, std::ptrdiff_t ldx, int k, std::uint8_t* q, std::ptrdiff_t ldq,
                           RowScale* rows) {
  const int blocks = row_block_count(k), depth = row_block_depth(k);
  for (int b = 0; b < blocks; ++b) {
    const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
    Range ranges[Rows];
    ranges_of<V, Rows>(x + begin, ldx, length, ranges);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      rows[r * blocks + b] = quantize_block<V>(ranges[r], x + r * ldx + begin, length, q + r * ldq + begin);
    }
  }
  const auto padding = static_cast<std::size_t>(padded_depth(k) - k);
  for (int r = 0; padding > 0 && r < Rows; ++r) std::memset(q + r * ldq + k, 128, padding);
}

template <class V>
void quantize_rows_u8(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q, std::ptrdiff_t ldq,
                      RowScale* rows) noexcept {
  constexpr int kGroup = V::kRowsTogether;
  const int blocks = row_block_count(k);
  int row = 0;
  for (; row + kGroup <= m; row += kGroup) {
    quantize_group<V, kGroup>(x + row * ldx, ldx, k, q + row * ldq, ldq, rows + row * blocks);
  }
  for (; row < m; ++row) quantize_group<V, 1>(x + row * ldx, ldx, k, q + row * ldq, ldq, rows + row * blocks);
}

template <class V>
void quantize_ranged_u8(const RangedRows& args) noexcept {
  const int k = args.k, blocks = row_block_count(k), depth = row_block_depth(k);
  const auto padding = args.block_end == blocks ? static_cast<std::size_t>(padded_depth(k) - k) : 0;
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    std::uint8_t* q = args.q + row * args.ldq;
    for (int b = args.block_begin; b < args.block_end; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      const Range range = RangeLanes<V>::load(args.ranges[row * blocks + b]).total();
      args.rows[row * blocks + b] =
          quantize_block<V>(range, args.x + row * args.ldx + begin, length, q + begin);
    }
    if (padding > 0) std::memset(q + k, 128, padding);
  }
}

template <class V>
float absmax(const float* x, std::ptrdiff_t n) noexcept {
  float largest = 0;
  constexpr std::ptrdiff_t kPiece = 1 << 20;
  for (std::ptrdiff_t i = 0; i < n; i += kPiece) {
    Range ranges[1];
    ranges_of<V, 1>(x + i, 0, static_cast<int>(n - i < kPiece ? n - i : kPiece), ranges);
    const Range& range = ranges[0];
    if (!range.finite) return float_from(0x7FC00000);
    const float magnitude = -range.low > range.high ? -range.low : range.high;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/// Where the codes of one output channel go in its panel.
struct ChannelTarget {
  std::byte* first_quad;       ///< four bytes of quad 0
  std::ptrdiff_t quad_stride;  ///< bytes from one quad to the next
};

/// Codes of w[begin..end) of one channel into its quads (begin a multiple of 16); returns their sum.
template <class V>
inline std::int32_t pack_channel(const float* w, int begin, int end, float scale,
                                 const ChannelTarget& target) {
  const V divisor = V::set(scale), low = V::set(-128.0F), high = V::set(127.0F);
  V sum = V::set(0.0F);  // of whole numbers far below 2^24: exact in any order
  for (int k = begin; k < end; k += 16) {
    V code = V::round(load_at<V>(w, k, end) / divisor);
    code = V::max(V::min(code, high), low);
    sum = sum + code;
    std::int32_t quads[4];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(quads), V::to_s8(code));
    std::byte* to = target.first_quad + k / 4 * target.quad_stride;
    for (int j = 0; j < 4; ++j) std::memcpy(to + j * target.quad_stride, &quads[j], 4);
  }
  return static_cast<std::int32_t>(V::sum(sum));
}

/// Zeros for the quads [from, to) of one channel.
inline void clear_quads(const ChannelTarget& target, int from, int to) {
  for (int quad = from; quad < to; ++quad) std::memset(target.first_quad + quad * target.quad_stride, 0, 4);
}

template <class V>
void pack_s8(const float* w, std::ptrdiff_t ldw, int n, int k, const float* scale, const float* bias,
             int panel, std::byte* pack) noexcept {
  const int width = panel_width(n, panel), first = panel * kPanelColumns;
  const int blocks = row_block_count(k), depth = row_block_depth(k), quads = padded_depth(k) / 4;
  std::byte* weights = pack + panel_offset_s8(k, panel);
  auto* colsum = reinterpret_cast<std::int32_t*>(weights + panel_weight_bytes_s8(n, k, panel));
  auto* scales = reinterpret_cast<float*>(colsum + blocks * kPanelColumns);
  float* biases = scales + kPanelColumns;
  std::memset(colsum, 0, panel_trailer_bytes(k));
  for (int column = 0; column < width; ++column) {
    const ChannelTarget target{weights + column * 4, width * 4};
    const int channel = first + column;
    if (channel < n) {
      scales[column] = scale[channel];
      if (bias != nullptr) biases[column] = bias[channel];
    }
    if (channel >= n || scale[channel] == 0) {
      clear_quads(target, 0, quads);
      continue;
    }
    for (int b = 0; b < blocks; ++b) {
      const int begin = b * depth, end = b + 1 < blocks ? begin + depth : k;
      colsum[b * kPanelColumns + column] =
          pack_channel<V>(w + channel * ldw, begin, end, scale[channel], target);
    }
    clear_quads(target, (k + 15) / 16 * 4, quads);
  }
}

}  // namespace nybble::kernels
