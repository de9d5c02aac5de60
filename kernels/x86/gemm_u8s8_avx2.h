// C = A (u8) × W (s8) with vpmaddwd: tiles of up to 6 rows × 16 columns.
//
// vpmaddubsw would saturate, so both sides become 16 bits wide: of each quad the even bytes (k, k+2) by one
// multiply, the odd ones (k+1, k+3) by another, so that no sum across lanes is needed. The weights are
// widened by shifts in the loop; the activations once a row block, into an array that stays in L1. 12
// accumulators, 2 registers of weights, a broadcast and a product fill the 16 registers. A quad costs 24
// vpmaddwd, 24 adds and 6 shifts for 384 products: 13.5 cycles at four vector operations a cycle.
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/x86/panel.h"

namespace nybble::kernels::avx2 {

inline constexpr int kTileRows = 6;
inline constexpr int kMostQuads = kSingleBlockDepth / 4;

/// A row block's activations as pairs of 16 bits: even[r][quad] = (a[k], a[k+2]), odd = (a[k+1], a[k+3]).
struct WideRows {
  alignas(32) std::int32_t even[kTileRows][kMostQuads];
  alignas(32) std::int32_t odd[kTileRows][kMostQuads];
};

/// Widens `quads` quads (rounded up to 8: rows are readable that far) of `rows` rows.
inline void widen(const std::uint8_t* a, std::ptrdiff_t lda, int rows, int quads, WideRows& wide) {
  const __m256i low = _mm256_set1_epi16(0x00FF);
  for (int r = 0; r < rows; ++r) {
    for (int quad = 0; quad < quads; quad += 8) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + r * lda + quad * 4));
      _mm256_store_si256(reinterpret_cast<__m256i*>(&wide.even[r][quad]), _mm256_and_si256(bytes, low));
      _mm256_store_si256(reinterpret_cast<__m256i*>(&wide.odd[r][quad]), _mm256_srli_epi16(bytes, 8));
    }
  }
}

/// Keeps `value` in a register and the rows in their order: g++ 12 would multiply all rows first and spill.
inline void pin(__m256i& value) { __asm__ volatile("" : "+x"(value)); }

template <int Rows>
[[gnu::always_inline]] inline void accumulate(const std::int32_t (&pairs)[kTileRows][kMostQuads], int quad,
                                              __m256i left, __m256i right, __m256i (&sum)[Rows][2]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const __m256i codes = _mm256_set1_epi32(pairs[r][quad]);
    sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(codes, left));
    sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(codes, right));
    pin(sum[r][0]), pin(sum[r][1]);
  }
}

/// The exact sums of 16 columns over `quads` quads; b advances by `stride` bytes a quad. Always inlined and
/// unrolled, so that `sum` never has an address and lives in registers.
template <int Rows>
[[gnu::always_inline]] inline void multiply(const WideRows& wide, const std::int8_t* b, std::ptrdiff_t stride,
                                            int quads, __m256i (&sum)[Rows][2]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int quad = 0; quad < quads; ++quad, b += stride) {
    const auto* weights = reinterpret_cast<const __m256i*>(b);
    const __m256i left = _mm256_loadu_si256(weights), right = _mm256_loadu_si256(weights + 1);
    accumulate(wide.even, quad, _mm256_srai_epi16(_mm256_slli_epi16(left, 8), 8),
               _mm256_srai_epi16(_mm256_slli_epi16(right, 8), 8), sum);
    accumulate(wide.odd, quad, _mm256_srai_epi16(left, 8), _mm256_srai_epi16(right, 8), sum);
  }
}

/// t - zp · colsum as floats.
inline __m256 centred(__m256i sum, const RowScale& row, const std::int32_t* colsum) {
  const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(colsum));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_mullo_epi32(_mm256_set1_epi32(row.zero), sums)));
}

inline void store_canonical(float* c, __m256 value) {
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
  _mm256_storeu_ps(c, _mm256_blendv_ps(value, nan, _mm256_cmp_ps(value, value, _CMP_UNORD_Q)));
}

/// Columns `column`.. of the panel: f = fma(t - zp·colsum, s_row·s_col, bias) for a row of one K block.
template <int Rows>
[[gnu::always_inline]] inline void finish_single(const __m256i (&sum)[Rows][2], const Panel& panel,
                                                 const RowBlock& rows, int column, std::ptrdiff_t ldc) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const int at = column + half * 8;
    const __m256 scale = _mm256_loadu_ps(panel.scale + at), bias = _mm256_loadu_ps(panel.bias + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256 both = _mm256_mul_ps(_mm256_set1_ps(rows.rows[r].scale), scale);
      const __m256 value = centred(sum[r][half], rows.rows[r], panel.colsum + at);
      store_canonical(rows.c + r * ldc + at, _mm256_fmadd_ps(value, both, bias));
    }
  }
}

/// K block `block` of several: f = fma(t_b - zp_b·colsum_b, s_b, f) in C, and after the last f·s_col + bias.
template <int Rows>
[[gnu::always_inline]] inline void finish_block(const __m256i (&sum)[Rows][2], const Panel& panel,
                                                const RowBlock& rows, int column, std::ptrdiff_t ldc,
                                                int block, int blocks) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const int at = column + half * 8;
    const __m256 scale = _mm256_loadu_ps(panel.scale + at), bias = _mm256_loadu_ps(panel.bias + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const RowScale& row = rows.rows[r * blocks + block];
      float* c = rows.c + r * ldc + at;
      const __m256 before = block == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(c);
      const __m256 value = centred(sum[r][half], row, panel.colsum + block * kPanelColumns + at);
      const __m256 f = _mm256_fmadd_ps(value, _mm256_set1_ps(row.scale), before);
      if (block + 1 < blocks) {
        _mm256_storeu_ps(c, f);
      } else {
        store_canonical(c, _mm256_fmadd_ps(f, scale, bias));
      }
    }
  }
}

/// `panel` and `rows` by value: after each store through a vector type a reference would have to be read
/// again.
template <int Rows>
inline void product(const GemmArgs& args, const Panel panel, const RowBlock rows) {
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  WideRows wide;
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, length = block + 1 < blocks ? depth : args.k - begin;
    const int quads = (length + 3) / 4;
    widen(rows.a + begin, args.lda, Rows, quads, wide);
    for (int column = 0; column < panel.width; column += kColumnBlock) {
      __m256i sum[Rows][2];
      const std::int8_t* b = codes(panel) + static_cast<std::ptrdiff_t>(begin) * panel.width + column * 4;
      multiply(wide, b, panel.width * 4, quads, sum);
      if (blocks == 1) {
        finish_single(sum, panel, rows, column, args.ldc);
      } else {
        finish_block(sum, panel, rows, column, args.ldc, block, blocks);
      }
    }
  }
  finish(args, rows, panel.width);
}

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  const int blocks = (args.m + kTileRows - 1) / kTileRows;
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    for (int i = 0; i < blocks; ++i) {
      const RowBlock rows = row_block(args, p, i, blocks);
      switch (rows.count) {
        case 1:
          product<1>(args, panel, rows);
          break;
        case 2:
          product<2>(args, panel, rows);
          break;
        case 3:
          product<3>(args, panel, rows);
          break;
        case 4:
          product<4>(args, panel, rows);
          break;
        case 5:
          product<5>(args, panel, rows);
          break;
        default:
          product<kTileRows>(args, panel, rows);
          break;
      }
    }
  }
}

}  // namespace nybble::kernels::avx2
