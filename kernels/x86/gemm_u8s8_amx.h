// C = A (u8) × W (bytes) with tdpbusd: blocks of up to 32 rows × 32 columns in four tiles of 16 × 16 sums.
//
// A step of 64 along K is two tiles of A, loaded from the rows as they stand, two of W, loaded from the pack
// with the panel's stride, and four products: 65536 multiplications in eight instructions. So what is left
// to save is the way from sums to floats: tiles can only be stored, the sums go through 8 KB of L1
// (24 KB with six K blocks). Below 16
// rows a tile of A is mostly empty: avx512vnni's product does those.
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
inline constexpr int kBlock = 2 * kTile;  ///< rows of a row block

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

/// The sums of a row block: of a panel, or of 32 columns and as many K blocks as fit (K = 3072 has six).
struct Sums {
  static constexpr int kBlocks = 6;
  alignas(64) std::int32_t at[kBlocks * kBlock * kBlock];
};

/// `steps` steps of 64 along K for one or two tiles of rows and of columns; `b_stride` bytes from quad to
/// quad. The sums of a row have `Stride` columns.
template <bool TwoRows, bool TwoColumns, int Stride>
inline void multiply(const std::uint8_t* a, std::ptrdiff_t lda, const std::byte* b, std::ptrdiff_t b_stride,
                     int steps, std::int32_t* sums) {
  constexpr std::ptrdiff_t kStride = Stride * sizeof(std::int32_t);
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
  _tile_stored(0, sums, kStride);
  if constexpr (TwoColumns) _tile_stored(1, sums + kTile, kStride);
  if constexpr (TwoRows) _tile_stored(2, sums + kTile * Stride, kStride);
  if constexpr (TwoRows && TwoColumns) _tile_stored(3, sums + kTile * Stride + kTile, kStride);
}

/// The sums of a row block and a panel over all of K.
template <bool TwoRows>
inline void multiply_panel(const GemmArgs& args, const Panel& panel, const RowBlock& rows, Sums& sums) {
  const std::ptrdiff_t stride = panel.width * 4;
  const std::byte* b = panel.weights;
  const int steps = (args.k + kStep - 1) / kStep;
  int column = 0;
  for (; column + kTile < panel.width; column += 2 * kTile, b += 128) {
    multiply<TwoRows, true, kPanelColumns>(rows.a, args.lda, b, stride, steps, sums.at + column);
  }
  if (column < panel.width) {
    multiply<TwoRows, false, kPanelColumns>(rows.a, args.lda, b, stride, steps, sums.at + column);
  }
}

/// Pinned, or g++ subtracts after all, for which the sums must be loaded first.
[[gnu::always_inline]] inline __m512i negative(const std::int32_t* colsum) {
  __m512i value = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_loadu_si512(colsum));
  avx512::pin(value);
  return value;
}

/// What Blocks · 16 columns bring to their sums. In registers while a loop passes over the rows: avx512's
/// finish has the sums there instead, and would load these for every few rows, a tenth of the instructions.
template <int Blocks>
struct Columns {
  __m512i negative_colsum[Blocks];
  __m512 scale[Blocks], bias[Blocks];

  [[gnu::always_inline]] explicit Columns(const Panel& panel) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      negative_colsum[j] = negative(panel.colsum + j * kTile);
      scale[j] = _mm512_loadu_ps(panel.scale + j * kTile), bias[j] = _mm512_loadu_ps(panel.bias + j * kTile);
    }
  }
};

/// t - zero·colsum of 16 columns.
[[gnu::always_inline]] inline __m512 centred(const std::int32_t* sums, std::int32_t zero,
                                             __m512i negative_colsum) {
  const __m512i product = _mm512_mullo_epi32(_mm512_set1_epi32(zero), negative_colsum);
  return _mm512_cvtepi32_ps(_mm512_add_epi32(product, _mm512_load_si512(sums)));
}

/// The only K block: f = fma(t - zero·colsum, s_row·s_col, bias). May store any NaN.
template <int Blocks>
inline void finish_single(const Panel& panel, const RowBlock& rows, std::ptrdiff_t ldc, const Sums& sums) {
  const Columns<Blocks> columns(panel);
  const RowScale* row = rows.rows;
  const std::int32_t* from = sums.at;
  float* c = rows.c;
  for (const RowScale* end = row + rows.count; row < end; ++row, from += kPanelColumns, c += ldc) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      const __m512 both = _mm512_mul_ps(_mm512_set1_ps(row->scale), columns.scale[j]);
      const __m512 value = centred(from + j * kTile, row->zero, columns.negative_colsum[j]);
      _mm512_storeu_ps(c + j * kTile, _mm512_fmadd_ps(value, both, columns.bias[j]));
    }
  }
}

/// Count K blocks of several, from `block` on: f = fma(t_b - zero_b·colsum_b, s_b, f), from 0 at the first,
/// in C between calls, and after the last f·s_col + bias. Their colsums fill 12 registers.
template <int Count, int Blocks>
inline void finish_some(const Panel& panel, const RowBlock& rows, std::ptrdiff_t ldc, const Sums& sums,
                        int block, int blocks) {
  __m512i negative_colsum[Count][Blocks];
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Blocks; ++j)
      negative_colsum[i][j] = negative(panel.colsum + (block + i) * kPanelColumns + j * kTile);
  }
  const Columns<Blocks> columns(panel);
  const bool first = block == 0, last = block + Count == blocks;
  const RowScale* row = rows.rows + block;
  const std::int32_t* from = sums.at;
  float* c = rows.c;
  for (int r = 0; r < rows.count; ++r, row += blocks, from += kBlock, c += ldc) {
    __m512 f[Blocks];
#pragma GCC unroll 2
    for (int j = 0; j < Blocks; ++j) f[j] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + j * kTile);
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < Blocks; ++j) {
        const std::int32_t* at = from + i * kBlock * kBlock + j * kTile;
        f[j] = _mm512_fmadd_ps(centred(at, row[i].zero, negative_colsum[i][j]), _mm512_set1_ps(row[i].scale),
                               f[j]);
      }
    }
#pragma GCC unroll 2
    for (int j = 0; j < Blocks; ++j) {
      if (last) {
        avx512::store_canonical(c + j * kTile, _mm512_fmadd_ps(f[j], columns.scale[j], columns.bias[j]));
      } else {
        _mm512_storeu_ps(c + j * kTile, f[j]);
      }
    }
  }
}

/// `count` of them, Count or fewer.
template <int Count, int Blocks>
inline void finish_up_to(const Panel& panel, const RowBlock& rows, std::ptrdiff_t ldc, const Sums& sums,
                         int block, int blocks, int count) {
  if constexpr (Count > 1) {
    if (count < Count) return finish_up_to<Count - 1, Blocks>(panel, rows, ldc, sums, block, blocks, count);
  }
  finish_some<Count, Blocks>(panel, rows, ldc, sums, block, blocks);
}

/// One row block of a panel with one K block.
template <bool TwoRows>
inline void product_single(const GemmArgs& args, const Panel& panel, const RowBlock& rows, bool may_be_nan) {
  Sums sums;
  multiply_panel<TwoRows>(args, panel, rows, sums);
  switch (panel.width) {
    case 16:
      finish_single<1>(panel, rows, args.ldc, sums);
      break;
    case 32:
      finish_single<2>(panel, rows, args.ldc, sums);
      break;
    case 48:
      finish_single<3>(panel, rows, args.ldc, sums);
      break;
    default:
      finish_single<4>(panel, rows, args.ldc, sums);
      break;
  }
  if (may_be_nan) avx512::make_canonical(rows.c, args.ldc, rows.count, panel.width);
}

/// One row block of the 16 or 32 columns at which `panel` and `rows` stand, with several K blocks: six at a
/// time, so that f stays in registers between them.
template <bool TwoRows, bool TwoColumns>
inline void product_blocks(const GemmArgs& args, const Panel& panel, const RowBlock& rows) {
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  const std::ptrdiff_t stride = panel.width * 4;
  Sums sums;
  for (int block = 0; block < blocks; block += Sums::kBlocks) {
    const int count = blocks - block < Sums::kBlocks ? blocks - block : Sums::kBlocks;
    for (int i = 0; i < count; ++i) {
      const int begin = (block + i) * depth, end = block + i + 1 < blocks ? begin + depth : args.k;
      multiply<TwoRows, TwoColumns, kBlock>(rows.a + begin, args.lda, panel.weights + begin / 4 * stride,
                                            stride, (end - begin + kStep - 1) / kStep,
                                            sums.at + i * kBlock * kBlock);
    }
    finish_up_to<Sums::kBlocks, TwoColumns ? 2 : 1>(panel, rows, args.ldc, sums, block, blocks, count);
  }
}

template <bool TwoRows>
inline void product(const GemmArgs& args, const Panel& panel, const RowBlock& rows, bool may_be_nan) {
  if (row_block_count(args.k) == 1) {
    product_single<TwoRows>(args, panel, rows, may_be_nan);
  } else {
    for (int column = 0; column < panel.width; column += kBlock) {
      Panel part = panel;
      part.weights += column * 4, part.colsum += column, part.scale += column, part.bias += column;
      RowBlock at = rows;
      at.c += column;
      if (panel.width - column > kTile) {
        product_blocks<TwoRows, true>(args, part, at);
      } else {
        product_blocks<TwoRows, false>(args, part, at);
      }
    }
  }
  finish(args, rows, panel.width);
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
    for (int i = 0; i < blocks; ++i) {
      const RowBlock rows = row_block(args, p, i, blocks);
      height > kTile ? product<true>(args, panel, rows, nan) : product<false>(args, panel, rows, nan);
    }
  }
  _tile_release();
}

}  // namespace nybble::kernels::amx
