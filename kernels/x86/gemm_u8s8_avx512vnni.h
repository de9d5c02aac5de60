// C = A (u8) × W (s8) with vpdpbusd on zmm: tiles of up to 6 rows × 64 columns.
//
// 24 accumulators, 4 registers of weights and a broadcast fill 29 of 32 registers. A quad of K costs 24
// vpdpbusd, 4 loads of weights and 6 broadcasts: 12 cycles of multiplier against 5 of the load ports at two a
// cycle.
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/x86/panel.h"

namespace nybble::kernels::avx512vnni {

inline constexpr int kTileRows = 6;

/// Keeps `value` in a register: without it g++ 12 spills accumulators of the larger tiles (86 % of peak
/// instead of 96).
inline void pin(__m512i& value) { __asm__ volatile("" : "+v"(value)); }

/// The exact sums over `quads` quads; b advances by the panel's width · 4 bytes a quad. Always inlined and
/// unrolled, so that `sum` never has an address and lives in registers.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void multiply(const std::uint8_t* a, std::ptrdiff_t lda, const std::int8_t* b,
                                            int quads, __m512i (&sum)[Rows][Blocks]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) sum[r][j] = _mm512_setzero_si512();
  }
  for (int quad = 0; quad < quads; ++quad, a += 4, b += Blocks * 64) {
    __m512i weights[Blocks];
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      weights[j] = _mm512_loadu_si512(b + j * 64);
      pin(weights[j]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m512i codes = _mm512_set1_epi32(load_quad(a + r * lda));
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j) sum[r][j] = _mm512_dpbusd_epi32(sum[r][j], codes, weights[j]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j) pin(sum[r][j]);
    }
  }
}

/// t - zp · colsum as floats.
inline __m512 centred(__m512i sum, const RowScale& row, const std::int32_t* colsum) {
  const __m512i zero = _mm512_mullo_epi32(_mm512_set1_epi32(row.zero), _mm512_loadu_si512(colsum));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, zero));
}

/// Stores `value` with NaN as 0x7FC00000. The table keeps the first operand for the two kinds of NaN and
/// takes the second for all else: one instruction where compare and blend are two.
inline void store_canonical(float* c, __m512 value) {
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  _mm512_storeu_ps(c, _mm512_fixupimm_ps(nan, value, _mm512_set1_epi32(0x11111100), 0));
}

/// f = fma(t - zp·colsum, s_row·s_col, bias): a row of one K block.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void finish_single(const __m512i (&sum)[Rows][Blocks], const Panel& panel,
                                                 const RowBlock& rows, std::ptrdiff_t ldc) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512 scale = _mm512_loadu_ps(panel.scale + j * 16), bias = _mm512_loadu_ps(panel.bias + j * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m512 both = _mm512_mul_ps(_mm512_set1_ps(rows.rows[r].scale), scale);
      const __m512 value = centred(sum[r][j], rows.rows[r], panel.colsum + j * 16);
      store_canonical(rows.c + r * ldc + j * 16, _mm512_fmadd_ps(value, both, bias));
    }
  }
}

/// K block `block` of several: f = fma(t_b - zp_b·colsum_b, s_b, f) in C, and after the last f·s_col + bias.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void finish_block(const __m512i (&sum)[Rows][Blocks], const Panel& panel,
                                                const RowBlock& rows, std::ptrdiff_t ldc, int block,
                                                int blocks) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512 scale = _mm512_loadu_ps(panel.scale + j * 16), bias = _mm512_loadu_ps(panel.bias + j * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const RowScale& row = rows.rows[r * blocks + block];
      float* c = rows.c + r * ldc + j * 16;
      const __m512 before = block == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(c);
      const __m512 value = centred(sum[r][j], row, panel.colsum + block * kPanelColumns + j * 16);
      const __m512 f = _mm512_fmadd_ps(value, _mm512_set1_ps(row.scale), before);
      if (block + 1 < blocks) {
        _mm512_storeu_ps(c, f);
      } else {
        store_canonical(c, _mm512_fmadd_ps(f, scale, bias));
      }
    }
  }
}

/// `panel` and `rows` by value: after each store through a vector type a reference would have to be read
/// again.
template <int Rows, int Blocks>
inline void product(const GemmArgs& args, const Panel panel, const RowBlock rows) {
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  if (blocks == 1) {
    __m512i sum[Rows][Blocks];
    multiply(rows.a, args.lda, codes(panel), (args.k + 3) / 4, sum);
    finish_single(sum, panel, rows, args.ldc);
  }
  for (int block = 0; blocks > 1 && block < blocks; ++block) {
    const int begin = block * depth, length = block + 1 < blocks ? depth : args.k - begin;
    __m512i sum[Rows][Blocks];
    multiply(rows.a + begin, args.lda, codes(panel) + static_cast<std::ptrdiff_t>(begin) * Blocks * 16,
             (length + 3) / 4, sum);
    finish_block(sum, panel, rows, args.ldc, block, blocks);
  }
  finish(args, rows, Blocks * 16);
}

template <int Blocks>
inline void product_of_rows(const GemmArgs& args, const Panel& panel, const RowBlock& rows) {
  switch (rows.count) {
    case 1:
      return product<1, Blocks>(args, panel, rows);
    case 2:
      return product<2, Blocks>(args, panel, rows);
    case 3:
      return product<3, Blocks>(args, panel, rows);
    case 4:
      return product<4, Blocks>(args, panel, rows);
    case 5:
      return product<5, Blocks>(args, panel, rows);
    default:
      return product<kTileRows, Blocks>(args, panel, rows);
  }
}

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  const int blocks = (args.m + kTileRows - 1) / kTileRows;
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    for (int i = 0; i < blocks; ++i) {
      const RowBlock rows = row_block(args, p, i, blocks);
      switch (panel.width) {
        case 16:
          product_of_rows<1>(args, panel, rows);
          break;
        case 32:
          product_of_rows<2>(args, panel, rows);
          break;
        case 48:
          product_of_rows<3>(args, panel, rows);
          break;
        default:
          product_of_rows<4>(args, panel, rows);
          break;
      }
    }
  }
}

}  // namespace nybble::kernels::avx512vnni
