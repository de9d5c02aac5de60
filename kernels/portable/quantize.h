// Rows to u8 and u4 on vectors of 16 floats.
#pragma once

#include <immintrin.h>

#include <cstring>
#include <type_traits>

#include "kernels/kernel_set.h"
#include "kernels/portable/epilogues.h"
#include "kernels/portable/range.h"

namespace nybble::kernels {

/// 64 codes of x[0..64).
template <class V>
[[gnu::always_inline]] inline void write_64_codes(const float* x, V scale, V offset, std::uint8_t* q) {
  V codes[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) codes[j] = V::fma(V::load(x + j * 16), scale, offset);
  V::store_codes(codes, q);
}

/// The codes of x[i..k), whose values are within the range that gave `scale` and `offset`.
template <class V>
[[gnu::always_inline]] inline void write_codes(const float* x, int i, int k, V scale, V offset,
                                               std::uint8_t* q) {
  for (; i + 64 <= k; i += 64) write_64_codes(x + i, scale, offset, q + i);
  for (; i + 16 <= k; i += 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), V::to_codes(V::fma(V::load(x + i), scale, offset)));
  }
  if (i < k) {
    const V last = V::load_first(x + i, k - i);
    V::store_first_bytes(V::to_codes(V::fma(last, scale, offset)), q + i, k - i);
  }
}

/// How many blocks are quantized together, at most: the parameters of all are computed in one vector.
inline constexpr int kBlocksTogether = 8;

/// What makes codes of the values of some blocks.
struct BlockParameters {
  alignas(64) float inverse[16];  ///< 0: all codes are 128
  alignas(64) float scale[16], zero[16];
};

/// The bits of the extremes of some blocks, in 16 lanes each. Not set to 0 at first, which costs 100 cycles
/// (`rep stos`): blocks that are not there have parameters that nobody reads.
struct BlockRanges {
  alignas(64) float high[kBlocksTogether][16], low[kBlocksTogether][16];

  template <class V>
  [[gnu::always_inline]] void set(int i, const RangeLanes<V>& range) {
    range.high.store(high[i]);
    range.low.store(low[i]);
  }

  template <class V>
  [[gnu::always_inline]] void compute(BlockParameters& parameters) const {
    V highs[kBlocksTogether], lows[kBlocksTogether], greatest, least;
#pragma GCC unroll 8
    for (int i = 0; i < kBlocksTogether; ++i) highs[i] = V::load(high[i]), lows[i] = V::load(low[i]);
    V::largest_of(highs, lows, greatest, least);
    const V nothing = V::set(0.0F);
    least = V::min(nothing, least);   // of two, one of them NaN, the second
    const V span = greatest - least;  // NaN or infinite where a value is
    const auto finite = V::less(span, V::set(__builtin_inff())), tiny = V::less(span, V::set(0x1p-100F));
    const V factor = V::select(finite, V::set(254.0F) / span, nothing);
    V::select(tiny, nothing, factor).store(parameters.inverse);
    V::select(tiny, nothing, V::select(finite, span / V::set(254.0F), V::canonical_nan()))
        .store(parameters.scale);
    (V::set(1.0F) - V::round(least * factor)).store(parameters.zero);
  }
};

/// A block whose parameters are known.
struct KnownBlock {
  const float* x;
  int k;
  std::uint8_t* q;
  float inverse, zero;
};

/// Sets a block's RowScale; writes its codes if they are all 128, and says whether others remain to be
/// written.
[[gnu::always_inline]] inline bool begin_codes(const KnownBlock& block, float scale, RowScale* row) {
  row->scale = scale;
  row->zero = 128;
  if (block.inverse == 0) return std::memset(block.q, 128, static_cast<std::size_t>(block.k)), false;
  row->zero = static_cast<std::int32_t>(block.zero);
  return true;
}

/// Rows to quantize, block by block; Float is const where they are not changed on the way.
template <class Float>
struct BlockWalk {
  Float* x;
  std::ptrdiff_t ldx;
  int m, k, block_begin, block_end;
  std::uint8_t* q;
  std::ptrdiff_t ldq;
  RowScale* rows;
  int blocks = row_block_count(k), depth = row_block_depth(k);

  struct Place {
    std::ptrdiff_t row;
    int block;
  };
  void advance(Place& place) const {
    if (++place.block < block_end) return;
    place.block = block_begin;
    ++place.row;
  }
  Float* values(const Place& at) const {
    return x + at.row * ldx + static_cast<std::ptrdiff_t>(at.block) * depth;
  }
  std::uint8_t* codes(const Place& at) const {
    return q + at.row * ldq + static_cast<std::ptrdiff_t>(at.block) * depth;
  }
  RowScale* row(const Place& at) const { return rows + at.row * blocks + at.block; }
  /// The same for rows first..first + count - 1.
  BlockWalk rows_of(std::ptrdiff_t first, int count) const {
    BlockWalk part = *this;
    part.x += first * ldx, part.q += first * ldq, part.rows += first * blocks, part.m = count;
    return part;
  }
  KnownBlock known(const Place& at, const BlockParameters& parameters, int i) const {
    return {values(at), length(at), codes(at), parameters.inverse[i], parameters.zero[i]};
  }
  /// Bytes k..padded_depth(k)-1 of the codes.
  void pad() const {
    if (block_end < blocks) return;
    const auto padding = static_cast<std::size_t>(padded_depth(k) - k);
    for (std::ptrdiff_t i = 0; padding > 0 && i < m; ++i) std::memset(q + i * ldq + k, 128, padding);
  }
  int length(const Place& at) const { return at.block + 1 < blocks ? depth : k - at.block * depth; }
};

/// What the first pass over a block does with 16 values: nothing but to find their range.
template <class V>
struct Unchanged {
  [[gnu::always_inline]] static void pass(const float* x, RangeLanes<V>& lanes) { lanes.widen(V::load(x)); }
  [[gnu::always_inline]] static void pass_first(const float* x, int n, RangeLanes<V>& lanes) {
    lanes.widen(V::load_first(x, n));
  }
};

/// The first pass over x[0..n), in steps of 64: fewer turns of a loop than a branch predictor can count.
template <class V, class Change, class Float>
[[gnu::always_inline]] inline RangeLanes<V> pass_block(Float* x, int n) {
  RangeLanes<V> lanes, others;  // two chains
  int i = 0;
  for (; i + 64 <= n; i += 64) {
#pragma GCC unroll 4
    for (int j = 0; j < 64; j += 16) Change::pass(x + i + j, j % 32 == 0 ? lanes : others);
  }
  lanes.high = V::max_signed(lanes.high, others.high);
  lanes.low = V::max_unsigned(lanes.low, others.low);
  for (; i + 16 <= n; i += 16) Change::pass(x + i, lanes);
  if (i < n) Change::pass_first(x + i, n - i, lanes);
  return lanes;
}

/// The first pass over the next `count` blocks. Never inlined, as write_chunk: g++ 12 keeps the constants of
/// either loop in registers only when it stands alone.
template <class V, class Change, class Float>
[[gnu::noinline]] void pass_chunk(const BlockWalk<Float>& walk, typename BlockWalk<Float>::Place& next,
                                  int count, BlockRanges& ranges) {
  for (int i = 0; i < count; ++i, walk.advance(next)) {
    ranges.set<V>(i, pass_block<V, Change>(walk.values(next), walk.length(next)));
  }
}

/// The codes of the next `count` blocks, whose parameters are known.
template <class V, class Float>
[[gnu::noinline]] void write_chunk(const BlockWalk<Float>& walk, typename BlockWalk<Float>::Place& next,
                                   int count, const BlockParameters& parameters) {
  for (int i = 0; i < count; ++i, walk.advance(next)) {
    const KnownBlock block = walk.known(next, parameters, i);
    if (!begin_codes(block, parameters.scale[i], walk.row(next))) continue;
    write_codes(block.x, 0, block.k, V::set(block.inverse), V::set(block.zero), block.q);
  }
}

/// How many blocks go together: 16 KB of them, so that they are still in L1 when their codes are made.
inline int chunk_of(int depth, std::ptrdiff_t blocks) {
  const int fitting = 4096 / depth < 1 ? 1 : 4096 / depth;
  const int most = fitting < kBlocksTogether ? fitting : kBlocksTogether;
  return (blocks + 1) / 2 < most ? static_cast<int>((blocks + 1) / 2) : most;
}

/// Quantizes the blocks of `walk` in chunks: each chunk's codes are made after the parameters of the next
/// one, whose latency (reductions and divisions, 100 cycles) they hide. ranges_of(next, count, ranges) gives
/// the ranges of `count` blocks from `next` on, and moves it.
template <class V, class Float, class RangesOf>
[[gnu::always_inline]] inline void quantize_blocks(const BlockWalk<Float>& walk, RangesOf ranges_of) {
  std::ptrdiff_t left = static_cast<std::ptrdiff_t>(walk.m) * (walk.block_end - walk.block_begin);
  const int chunk = chunk_of(walk.depth, left);
  BlockRanges ranges;
  BlockParameters parameters[2];
  typename BlockWalk<Float>::Place next{0, walk.block_begin}, coded = next;
  for (int waiting = 0, count, turn = 0; left > 0 || waiting > 0; waiting = count, turn ^= 1) {
    count = left < chunk ? static_cast<int>(left) : chunk;
    left -= count;
    ranges_of(next, count, ranges);
    ranges.compute<V>(parameters[turn]);
    write_chunk<V>(walk, coded, waiting, parameters[turn ^ 1]);
  }
  walk.pad();
}

template <class Args>
inline auto walk_of(const Args& args) {
  return BlockWalk<std::remove_pointer_t<decltype(args.x)>>{
      args.x, args.ldx, args.m, args.k, args.block_begin, args.block_end, args.q, args.ldq, args.rows};
}

/// Quantizes rows by two passes over each block, of which the first may change it.
template <class V, class Change, class Float>
inline void quantize_by_passes(const BlockWalk<Float>& walk) {
  quantize_blocks<V>(walk, [&](auto& next, int count, BlockRanges& ranges) {
    pass_chunk<V, Change>(walk, next, count, ranges);
  });
}

template <class V>
void quantize_rows_u8(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q, std::ptrdiff_t ldq,
                      RowScale* rows) noexcept {
  quantize_by_passes<V, Unchanged<V>>(
      BlockWalk<const float>{x, ldx, m, k, 0, row_block_count(k), q, ldq, rows});
}

template <class V>
void quantize_ranged_u8(const RangedRows& args) noexcept {
  const auto walk = walk_of(args);
  quantize_blocks<V>(walk, [&](auto& next, int count, BlockRanges& ranges) {
    for (int i = 0; i < count; ++i, walk.advance(next)) {
      ranges.set<V>(i, RangeLanes<V>::load(args.ranges[next.row * walk.blocks + next.block]));
    }
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
