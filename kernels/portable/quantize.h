// Rows to u8 and u4 on vectors of 16 floats.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/rows.h"

namespace nybble::kernels {

/// The least and greatest of 0 and a row's values, and whether all of them are finite.
struct Range {
  float low, high;
  bool finite;
};

/// The ranges of Rows rows of n values: side by side they hide the latency of each other's chains.
template <class V, int Rows>
inline void ranges_of(const float* x, std::ptrdiff_t ldx, int n, Range (&ranges)[Rows]) {
  V low[Rows], high[Rows];
  V poison[Rows];  // x · 0 is NaN for NaN and infinity alone, and stays
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) low[r] = high[r] = poison[r] = V::set(0.0F);
  for (int i = 0; i < n; i += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V value = load_at<V>(x + r * ldx, i, n);
      low[r] = V::min(value, low[r]);
      high[r] = V::max(value, high[r]);
      poison[r] = V::fma(value, V::set(0.0F), poison[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const float sum = V::sum(poison[r]);
    ranges[r] = {V::smallest(low[r]), V::largest(high[r]), sum == sum};
  }
}

inline float float_from(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
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
  const V scale = V::set(inverse), offset = V::set(zero);
  int i = 0;
  for (; i + 16 <= k; i += 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), V::to_codes(V::fma(V::load(x + i), scale, offset)));
  }
  if (i < k) {
    const V last = V::load_first(x + i, k - i);
    V::store_first_bytes(V::to_codes(V::fma(last, scale, offset)), q + i, k - i);
  }
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

/// The first n bytes, 0 beyond.
inline __m128i first_bytes(__m128i bytes, int n) {
  const __m128i index = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm_and_si128(bytes, _mm_cmplt_epi8(index, _mm_set1_epi8(static_cast<char>(n < 16 ? n : 16))));
}

/// Quantizes one block of a row to 4 bits, x[0..k) to packed codes; k is a multiple of 8 unless it ends the
/// row.
template <class V>
inline RowScale quantize_block_u4(const Range& range, const float* x, int k, std::uint8_t* q) {
  const float span = range.high - range.low;
  const bool usable = range.finite && span <= __FLT_MAX__, flat = !usable || span < 0x1p-100F;
  const float inverse = flat ? 0 : 15 / span, zero = flat ? 8 : V::round_one(-range.low * inverse);
  const V scale = V::set(inverse), offset = V::set(zero), most = V::set(15.0F);
  for (int i = 0; i < k; i += 16) {
    V code = offset;
    if (!flat) code = V::max(V::min(V::fma(load_at<V>(x, i, k), scale, offset), most), V::set(0.0F));
    std::uint32_t quads[4];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(quads), first_bytes(V::to_s8(code), k - i));
    const std::uint32_t pairs[2] = {quads[0] | quads[1] << 4, quads[2] | quads[3] << 4};
    const int bytes = (k - i + 7) / 8 * 4;
    std::memcpy(q + i / 2, pairs, static_cast<std::size_t>(bytes < 8 ? bytes : 8));
  }
  if (flat) return {usable ? 0.0F : float_from(0x7FC00000), 8};
  return {span / 15, static_cast<std::int32_t>(zero)};
}

template <class V>
void quantize_rows_u4(const float* x, std::ptrdiff_t ldx, int m, int k, int row_block, std::uint8_t* q,
                      std::ptrdiff_t ldq, RowScale* rows) noexcept {
  const PackFormat format{.bits = 4, .row_block = row_block};
  const int blocks = row_block_count(k, format), depth = row_block_depth(k, format);
  const auto used = static_cast<std::size_t>((k + 7) / 8 * 4),
             size = static_cast<std::size_t>(padded_depth(k) / 2);
  for (int row = 0; row < m; ++row, x += ldx, q += ldq, rows += blocks) {
    for (int b = 0; b < blocks; ++b) {
      const int begin = b * depth, length = b + 1 < blocks ? depth : k - begin;
      Range range[1];
      ranges_of<V, 1>(x + begin, 0, length, range);
      rows[b] = quantize_block_u4<V>(range[0], x + begin, length, q + begin / 2);
    }
    std::memset(q + used, 0, size - used);
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

}  // namespace nybble::kernels
