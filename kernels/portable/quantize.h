// Rows to u8 and u4 on vectors of 16 floats.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/portable/epilogues.h"
#include "kernels/portable/range.h"

namespace nybble::kernels {

/// The codes of x[0..k), whose values are within the range that gave `scale` and `offset`.
template <class V>
[[gnu::always_inline]] inline void write_codes(const float* x, int k, V scale, V offset, std::uint8_t* q) {
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

/// How many blocks are quantized together: the parameters of all are computed in one vector, else the latency
/// of two divisions and two reductions (60 cycles) would stand between each block's range and its codes.
inline constexpr int kBlocksTogether = 16;

/// The ranges of up to 16 blocks, then what makes codes of their values.
struct BlockParameters {
  alignas(64) float high[kBlocksTogether], low[kBlocksTogether];  ///< the extreme bits of RowRange
  alignas(64) float inverse[kBlocksTogether];                     ///< 0: all codes are 128
  alignas(64) float scale[kBlocksTogether], zero[kBlocksTogether];

  template <class V>
  [[gnu::always_inline]] void set_range(int i, const RangeLanes<V>& range) {
    high[i] = float_from(static_cast<std::uint32_t>(V::largest_signed(range.high)));
    low[i] = float_from(V::largest_unsigned(range.low));
  }

  template <class V>
  [[gnu::always_inline]] void compute() {
    const V nothing = V::set(0.0F);
    const V least = V::min(nothing, V::load(low));  // of two, one of them NaN, the second
    const V span = V::load(high) - least;           // NaN or infinite where a value is
    const auto finite = V::less(span, V::set(__builtin_inff())), tiny = V::less(span, V::set(0x1p-100F));
    const V factor = V::select(finite, V::set(254.0F) / span, nothing);
    V::select(tiny, nothing, factor).store(inverse);
    V::select(tiny, nothing, V::select(finite, span / V::set(254.0F), V::canonical_nan())).store(scale);
    (V::set(1.0F) - V::round(least * factor)).store(zero);
  }
};

/// Writes the codes and the parameters of a block.
template <class V>
[[gnu::always_inline]] inline void quantize_block(const BlockParameters& blocks, int i, const float* x, int k,
                                                  std::uint8_t* q, RowScale* row) {
  row->scale = blocks.scale[i];
  if (blocks.inverse[i] == 0) {
    std::memset(q, 128, static_cast<std::size_t>(k));
    row->zero = 128;
    return;
  }
  row->zero = static_cast<std::int32_t>(blocks.zero[i]);
  write_codes(x, k, V::set(blocks.inverse[i]), V::set(blocks.zero[i]), q);
}

/// Where a walk over the blocks of rows stands.
struct BlockPlace {
  std::ptrdiff_t row;
  int block;

  void advance(int block_begin, int block_end) {
    if (++block < block_end) return;
    block = block_begin;
    ++row;
  }
};

/// Quantizes blocks block_begin..block_end-1 of each row. range_of(place, x, length) gives a block's range,
/// and may change the block's values first.
template <class V, class Float, class RangeOf>
[[gnu::always_inline]] inline void quantize_blocks(Float* x, std::ptrdiff_t ldx, int m, int k,
                                                   int block_begin, int block_end, std::uint8_t* q,
                                                   std::ptrdiff_t ldq, RowScale* rows, RangeOf range_of) {
  const int blocks = row_block_count(k), depth = row_block_depth(k);
  const auto length = [&](int block) { return block + 1 < blocks ? depth : k - block * depth; };
  std::ptrdiff_t left = static_cast<std::ptrdiff_t>(m) * (block_end - block_begin);
  BlockParameters parameters{};
  for (BlockPlace first{0, block_begin}; left > 0; left -= kBlocksTogether) {
    const int count = left < kBlocksTogether ? static_cast<int>(left) : kBlocksTogether;
    BlockPlace place = first;
    for (int i = 0; i < count; ++i, place.advance(block_begin, block_end)) {
      parameters.set_range<V>(
          i, range_of(place, x + place.row * ldx + place.block * depth, length(place.block)));
    }
    parameters.compute<V>();
    for (int i = 0; i < count; ++i, first.advance(block_begin, block_end)) {
      const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(first.block) * depth;
      quantize_block<V>(parameters, i, x + first.row * ldx + begin, length(first.block),
                        q + first.row * ldq + begin, rows + first.row * blocks + first.block);
    }
  }
  const auto padding = block_end == blocks ? static_cast<std::size_t>(padded_depth(k) - k) : 0;
  for (std::ptrdiff_t row = 0; padding > 0 && row < m; ++row) std::memset(q + row * ldq + k, 128, padding);
}

template <class V>
void quantize_rows_u8(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q, std::ptrdiff_t ldq,
                      RowScale* rows) noexcept {
  quantize_blocks<V>(x, ldx, m, k, 0, row_block_count(k), q, ldq, rows,
                     [](const BlockPlace&, const float* values, int n) { return range_of<V>(values, n); });
}

template <class V>
void quantize_ranged_u8(const RangedRows& args) noexcept {
  const int blocks = row_block_count(args.k);
  quantize_blocks<V>(args.x, args.ldx, args.m, args.k, args.block_begin, args.block_end, args.q, args.ldq,
                     args.rows, [&](const BlockPlace& place, const float*, int) {
                       return RangeLanes<V>::load(args.ranges[place.row * blocks + place.block]);
                     });
}

/// Each value becomes function(value) before its row is quantized.
template <class V, V (*function)(V)>
void activate_quantize_rows_u8(const ActivatedRows& args) noexcept {
  quantize_blocks<V>(args.x, args.ldx, args.m, args.k, args.block_begin, args.block_end, args.q, args.ldq,
                     args.rows, [&](const BlockPlace&, float* values, int n) {
                       RangeLanes<V> range;
                       activate_row<V, function>(values, n, range);
                       return range;
                     });
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
      const Range range = range_of<V>(x + begin, length).total();
      rows[b] = quantize_block_u4<V>(range, x + begin, length, q + begin / 2);
    }
    std::memset(q + used, 0, size - used);
  }
}

template <class V>
float absmax(const float* x, std::ptrdiff_t n) noexcept {
  float largest = 0;
  constexpr std::ptrdiff_t kPiece = 1 << 20;
  for (std::ptrdiff_t i = 0; i < n; i += kPiece) {
    const Range range = range_of<V>(x + i, static_cast<int>(n - i < kPiece ? n - i : kPiece)).total();
    if (!range.finite) return float_from(0x7FC00000);
    const float magnitude = -range.low > range.high ? -range.low : range.high;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

}  // namespace nybble::kernels
