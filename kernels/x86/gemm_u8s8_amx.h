// C = A (u8) × W (bytes) with tdpbusd: blocks of up to 32 rows × 32 columns in four tiles of 16 × 16 sums.
//
// A step of 64 along K is two tiles of A, loaded from the rows as they stand, two of W, loaded from the pack
// with the panel's stride, and four products: 65536 multiplications in eight instructions. So what is left
// to save is the way from sums to floats: tiles can only be stored, the sums go through 4 KB of L1, and
// avx512vnni's finish takes them from there. Below 16 rows a tile of A is mostly empty: avx512vnni's product
// does those.
//
// The tiles' shapes are set at the head of a call and released at its end: between calls there is no state,
// and no thread is left with 8 KB of tiles for the operating system to save. That is one ldtilecfg and one
// tilerelease a call.
#pragma once

#include <immintrin.h>

#include "kernels/x86/gemm_u8s8_avx512vnni.h"

namespace nybble::kernels::amx {

inline constexpr int kTile = 16;          ///< rows of a tile, and its columns of int32
inline constexpr int kStep = 64;          ///< along K: a tile of A is 16 rows × 64 codes
inline constexpr int kBlock = 2 * kTile;  ///< rows of a row block, columns of a strip

/// What ldtilecfg reads. Tiles 0 to 3 hold sums (two of the upper rows, two of the lower), 4 and 5 rows of
/// A, 6 and 7 weights: 16 quads × 16 columns.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {};

  /// `lower` may be 0: then no instruction names tiles 2, 3 and 5.
  TileShapes(int upper, int lower) {
    rows[0] = rows[1] = rows[4] = static_cast<std::uint8_t>(upper);
    rows[2] = rows[3] = rows[5] = static_cast<std::uint8_t>(lower);
    rows[6] = rows[7] = kTile;
    if (lower == 0) row_bytes[2] = row_bytes[3] = row_bytes[5] = 0;
  }
  /// With all of the shapes as an operand; g++ 12's _tile_loadconfig says that it reads eight bytes.
  void load() const { __asm__ volatile("ldtilecfg %0" : : "m"(*this)); }
};

/// The sums of a row block and a strip.
struct Sums {
  alignas(64) std::int32_t at[kBlock][kBlock];
};

/// `steps` steps of 64 along K for one or two tiles of rows and of columns; `b_stride` bytes from quad to
/// quad.
template <bool TwoRows, bool TwoColumns>
inline void multiply(const std::uint8_t* a, std::ptrdiff_t lda, const std::byte* b, std::ptrdiff_t b_stride,
                     int steps, Sums& sums) {
  constexpr std::ptrdiff_t kStride = sizeof sums.at[0];
  const std::uint8_t* lower = a + kTile * lda;
  _tile_zero(0);
  if constexpr (TwoColumns) _tile_zero(1);
  if constexpr (TwoRows) _tile_zero(2);
  if constexpr (TwoRows && TwoColumns) _tile_zero(3);
  for (int step = 0; step < steps; ++step, a += kStep, lower += kStep, b += kTile * b_stride) {
    _tile_loadd(6, b, b_stride);
    _tile_loadd(4, a, lda);
    _tile_dpbusd(0, 4, 6);
    if constexpr (TwoColumns) {
      _tile_loadd(7, b + 64, b_stride);
      _tile_dpbusd(1, 4, 7);
    }
    if constexpr (TwoRows) {
      _tile_loadd(5, lower, lda);
      _tile_dpbusd(2, 5, 6);
    }
    if constexpr (TwoRows && TwoColumns) _tile_dpbusd(3, 5, 7);
  }
  _tile_stored(0, &sums.at[0][0], kStride);
  if constexpr (TwoColumns) _tile_stored(1, &sums.at[0][kTile], kStride);
  if constexpr (TwoRows) _tile_stored(2, &sums.at[kTile][0], kStride);
  if constexpr (TwoRows && TwoColumns) _tile_stored(3, &sums.at[kTile][kTile], kStride);
}

/// Part of a row block: sums to floats, K block `block` of `blocks`. By value and never inlined, as the tiles
/// of avx512vnni.
template <int Rows, int Blocks>
[[gnu::noinline]] inline void finish_rows(const avx512::Strip strip, const RowBlock rows, std::ptrdiff_t ldc,
                                          const std::int32_t* sums, int block, int blocks) {
  __m512i sum[Rows][Blocks];
  avx512::start_centred(strip, rows.rows + block, block, blocks, sum);
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < Blocks; ++j) {
      sum[r][j] = _mm512_add_epi32(sum[r][j], _mm512_load_si512(sums + r * kBlock + j * kTile));
    }
  }
  if (blocks == 1) {
    avx512::finish_single(sum, strip, rows, ldc);
  } else {
    avx512::finish_block(sum, strip, rows.rows + block, blocks, rows.c, ldc, block == 0, block + 1 == blocks);
  }
}

/// `rows.count` rows, Rows or fewer.
template <int Rows, int Blocks>
inline void finish_up_to(const avx512::Strip& strip, const RowBlock& rows, std::ptrdiff_t ldc,
                         const std::int32_t* sums, int block, int blocks) {
  if constexpr (Rows > 1) {
    if (rows.count < Rows) return finish_up_to<Rows - 1, Blocks>(strip, rows, ldc, sums, block, blocks);
  }
  finish_rows<Rows, Blocks>(strip, rows, ldc, sums, block, blocks);
}

/// A row block in nearly equal parts, each of which has its 2 · 11 sums in registers.
template <int Blocks>
inline void finish_sums(const avx512::Strip& strip, const RowBlock& rows, std::ptrdiff_t ldc,
                        const Sums& sums, int block, int blocks) {
  constexpr int kRows = 11;
  const int parts = (rows.count + kRows - 1) / kRows;
  for (int i = 0; i < parts; ++i) {
    const int first = rows.count * i / parts;
    RowBlock part = rows;
    part.count = rows.count * (i + 1) / parts - first;
    part.rows += first * blocks, part.c += first * ldc;
    finish_up_to<kRows, Blocks>(strip, part, ldc, sums.at[first], block, blocks);
  }
}

/// One row block of a strip of 16 or 32 columns.
template <bool TwoRows, bool TwoColumns>
inline void product(const GemmArgs& args, const avx512::Strip& strip, const RowBlock& rows) {
  constexpr int kBlocks = TwoColumns ? 2 : 1;
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  Sums sums;
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    multiply<TwoRows, TwoColumns>(rows.a + begin, args.lda, strip.weights + begin / 4 * strip.stride,
                                  strip.stride, (end - begin + kStep - 1) / kStep, sums);
    finish_sums<kBlocks>(strip, rows, args.ldc, sums, block, blocks);
  }
  if (strip.may_be_nan && blocks == 1) avx512::make_canonical(rows.c, args.ldc, rows.count, kBlocks * kTile);
  finish(args, rows, kBlocks * kTile);
}

/// All rows of a strip, in `blocks` row blocks of `height` rows or one less.
inline void strip_of_rows(const GemmArgs& args, int p, const avx512::Strip& strip, int blocks, int height) {
  const bool two_rows = height > kTile, two_columns = strip.panel.width - strip.column > kTile;
  for (int i = 0; i < blocks; ++i) {
    RowBlock rows = row_block(args, p, i, blocks);
    rows.c += strip.column, rows.column += strip.column;
    if (two_rows) {
      two_columns ? product<true, true>(args, strip, rows) : product<true, false>(args, strip, rows);
    } else {
      two_columns ? product<false, true>(args, strip, rows) : product<false, false>(args, strip, rows);
    }
  }
}

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  if (args.m < kTile || args.format.group != 0) return avx512vnni::gemm_u8s8(args);
  const int blocks = (args.m + kBlock - 1) / kBlock;
  // Row blocks differ by a row at most and the last is of the greater height. All take its tiles: a shorter
  // one multiplies the next one's first row too, and leaves those sums.
  const int height = (args.m + blocks - 1) / blocks, upper = height < kTile ? height : kTile;
  TileShapes(upper, height - upper).load();
  const std::uint32_t row_scale = avx512::greatest_row_scale(args);
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    const bool nan = avx512::may_be_nan(row_scale, panel.scale, panel.width);
    for (int column = 0; column < panel.width; column += kBlock) {
      avx512::Strip strip = avx512::strip_of(panel, column);
      strip.may_be_nan = nan;
      strip_of_rows(args, p, strip, blocks, height);
    }
  }
  _tile_release();
}

}  // namespace nybble::kernels::amx
