// Rows to u8, weights to s8 and their pack, on vectors of 16 floats.
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
