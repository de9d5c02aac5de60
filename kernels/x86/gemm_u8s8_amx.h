// C = A (u8) × W (s8) with tdpbusd: blocks of up to 32 rows × 32 columns in four tiles of 16 × 16 sums.
//
// A step of 64 along K is two tiles of A, loaded from the rows as they stand, two of W, loaded from the pack
// with the panel's stride, and four products: 65536 multiplications in eight instructions. So what is left
// to save is the way from sums to floats: tiles can only be stored, the sums go through 8 KB of L1, and
// avx512vnni's finish takes them from there. Below 16 rows a tile of A is mostly empty: avx512vnni's product
// does those.
//
// The tile shapes are set at the head of a call and released at its end: between calls no state, and no
// thread is left with 8 KB of tiles for the operating system to save. That is one ldtilecfg and one
// tilerelease among the at least seven hundred instructions of the smallest call.
#pragma once

#include <immintrin.h>

#include "kernels/x86/gemm_u8s8_avx512vnni.h"

namespace nybble::kernels::amx {

inline constexpr int kTile = 16;             ///< rows of a tile, and its columns of int32
inline constexpr int kStep = 64;             ///< along K: a tile of A is 16 rows × 64 codes
inline constexpr int kTileRows = 2 * kTile;  ///< of a row block

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

/// The sums of one row block and one panel.
struct Sums {
  alignas(64) std::int32_t at[kTileRows][kPanelColumns];
};

/// `steps` steps of 64 along K for one or two tiles of rows and of columns; `b_stride` bytes from quad to
/// quad. Writes up to 32 × 32 sums from `sums` on.
template <bool TwoRows, bool TwoColumns>
inline void multiply(const std::uint8_t* a, std::ptrdiff_t lda, const std::int8_t* b, std::ptrdiff_t b_stride,
                     int steps, std::int32_t* sums) {
  constexpr std::ptrdiff_t kSumStride = sizeof(Sums::at[0]);
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
  _tile_stored(0, sums, kSumStride);
  if constexpr (TwoColumns) _tile_stored(1, sums + kTile, kSumStride);
  if constexpr (TwoRows) _tile_stored(2, sums + kTile * kPanelColumns, kSumStride);
  if constexpr (TwoRows && TwoColumns) _tile_stored(3, sums + kTile * kPanelColumns + kTile, kSumStride);
}

/// The sums of a row block and a panel over [begin, end) of K, begin a multiple of 64.
template <bool TwoRows>
inline void multiply_panel(const GemmArgs& args, const Panel& panel, const RowBlock& rows, int begin, int end,
                           Sums& sums) {
  const std::uint8_t* a = rows.a + begin;
  const std::ptrdiff_t stride = panel.width * 4;
  const std::int8_t* b = codes(panel) + begin / 4 * stride;
  const int steps = (end - begin + kStep - 1) / kStep;
  int column = 0;
  for (; column + 2 * kTile <= panel.width; column += 2 * kTile) {
    multiply<TwoRows, true>(a, args.lda, b + column * 4, stride, steps, &sums.at[0][column]);
  }
  if (column < panel.width) {
    multiply<TwoRows, false>(a, args.lda, b + column * 4, stride, steps, &sums.at[0][column]);
  }
}

/// Rows first..first + Rows - 1 of a row block from sums to floats, K block `block` of `blocks`.
template <int Rows, int Blocks>
inline void finish_rows(const GemmArgs& args, const Panel& panel, const RowBlock& rows, const Sums& sums,
                        int first, int block, int blocks) {
  const avx512::Strip strip = avx512::strip_of(panel, 0);
  RowBlock part = rows;
  part.rows += first * blocks, part.c += first * args.ldc;
  __m512i sum[Rows][Blocks];
  avx512::start_centred(strip, part.rows + block, block, blocks, sum);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      sum[r][j] = _mm512_add_epi32(sum[r][j], _mm512_load_si512(&sums.at[first + r][j * 16]));
    }
  }
  if (blocks == 1) {
    avx512::finish_single(sum, strip, part, args.ldc);
  } else {
    avx512::finish_block(sum, strip, part.rows + block, blocks, part.c, args.ldc, block == 0,
                         block + 1 == blocks);
  }
}

template <int Blocks>
inline void finish_panel(const GemmArgs& args, const Panel& panel, const RowBlock& rows, const Sums& sums,
                         int block, int blocks) {
  int first = 0;
  for (; first + 4 <= rows.count; first += 4) {
    finish_rows<4, Blocks>(args, panel, rows, sums, first, block, blocks);
  }
  for (; first < rows.count; ++first) {
    finish_rows<1, Blocks>(args, panel, rows, sums, first, block, blocks);
  }
}

inline void finish_width(const GemmArgs& args, const Panel& panel, const RowBlock& rows, const Sums& sums,
                         int block, int blocks) {
  switch (panel.width) {
    case 16:
      return finish_panel<1>(args, panel, rows, sums, block, blocks);
    case 32:
      return finish_panel<2>(args, panel, rows, sums, block, blocks);
    case 48:
      return finish_panel<3>(args, panel, rows, sums, block, blocks);
    default:
      return finish_panel<4>(args, panel, rows, sums, block, blocks);
  }
}

template <bool TwoRows>
inline void product(const GemmArgs& args, const Panel& panel, const RowBlock& rows, bool may_be_nan) {
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  Sums sums;
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    multiply_panel<TwoRows>(args, panel, rows, begin, end, sums);
    finish_width(args, panel, rows, sums, block, blocks);
  }
  if (blocks == 1 && may_be_nan) avx512::make_canonical(rows.c, args.ldc, rows.count, panel.width);
  finish(args, rows, panel.width);
}

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  if (args.m < kTile || args.format.group != 0) return avx512vnni::gemm_u8s8(args);
  const int blocks = (args.m + kTileRows - 1) / kTileRows;
  // Row blocks differ by a row at most and the last is of the greater height. All take its tiles: a shorter
  // one multiplies the next one's first row too, and leaves those sums.
  const int height = (args.m + blocks - 1) / blocks, upper = height < kTile ? height : kTile;
  TileShapes(upper, height - upper).load();
  const std::uint32_t row_scale = avx512::greatest_row_scale(args);
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    const bool nan = avx512::may_be_nan(row_scale, panel.scale, panel.width);
    for (int i = 0; i < blocks; ++i) {
      const RowBlock rows = row_block(args, p, i, blocks);
      if (height > kTile) {
        product<true>(args, panel, rows, nan);
      } else {
        product<false>(args, panel, rows, nan);
      }
    }
  }
  _tile_release();
}

}  // namespace nybble::kernels::amx
