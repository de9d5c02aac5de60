// C = A (u8) × W (bytes) with vpdpbusd on zmm: tiles of up to 14 rows × 32 columns.
#pragma once

#include "kernels/x86/operands_avx512.h"

namespace nybble::kernels::avx512vnni {

/// How many quads in turn have sums of their own: a tile of one row has four chains of sums a quad, and
/// vpdpbusd, two a cycle and four cycles long, wants eight.
constexpr int chains_of(int rows, int blocks) { return rows * blocks < 8 ? 2 : 1; }

template <int Rows, int Blocks>
[[gnu::always_inline]] inline void multiply_quad(const avx512::RowAddresses<Rows>& a, std::ptrdiff_t lda,
                                                 int offset, const __m512i (&weights)[Blocks],
                                                 __m512i (&sum)[Rows][Blocks]) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    const __m512i codes = a.quad(r, lda, offset);
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) sum[r][j] = _mm512_dpbusd_epi32(sum[r][j], codes, weights[j]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) avx512::pin(sum[r][j]);
  }
}

/// Adds the products over pairs of quads; `Weights` loads the two quads of a pair. Always inlined and
/// unrolled, so that `sum` never has an address and lives in registers.
template <int Rows, int Blocks, class Weights>
[[gnu::always_inline]] inline void multiply(const std::uint8_t* rows, std::ptrdiff_t lda, const Weights& w,
                                            const std::byte* b, std::ptrdiff_t step, int pairs,
                                            __m512i (&sum)[Rows][Blocks]) {
  constexpr int kChains = chains_of(Rows, Blocks);
  __m512i other[Rows][Blocks];  // the odd quads', where there are two chains
  if constexpr (kChains == 2) avx512::start_at_zero(other);
  avx512::RowAddresses<Rows> a(rows, lda);
  for (int pair = 0; pair < pairs; ++pair, b += step) {
    __m512i weights[Blocks];
    w.even(b, weights);
    multiply_quad(a, lda, 0, weights, sum);
    w.odd(b, weights);
    if constexpr (kChains == 2) {
      multiply_quad(a, lda, 4, weights, other);
    } else {
      multiply_quad(a, lda, 4, weights, sum);
    }
    a.advance(8);
  }
  if constexpr (kChains == 2) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j) sum[r][j] = _mm512_add_epi32(sum[r][j], other[r][j]);
    }
  }
}

/// Weights of 5 to 8 bits, a byte each. 28 sums, 2 registers of weights and a broadcast fill 31 of 32
/// registers. A quad costs 28 vpdpbusd, 2 loads of weights and 14 broadcasts: 14 cycles of multiplier against
/// 8 of the load ports at two a cycle.
struct Bytes {
  static constexpr int kRows = 14, kFewRows = 4, kShortRows = 6, kShortFewRows = 2;
  /// 24 sums, 4 registers of weights and a broadcast: 10 loads for 12 cycles of multiplier, where 8 rows × 32
  /// columns take 10 for 8.
  static constexpr int kWideRows = 6;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda,
                                          const avx512::Strip& strip, int begin, int end, Zero zero,
                                          __m512i (&sum)[Rows][Blocks]) {
    const std::byte* b = strip.weights + begin / 4 * strip.stride;
    const int pairs = (end - begin + 7) / 8;
    if constexpr (Blocks == 4 && Rows > kFewRows) {
      const avx512::SharedWeights weights(strip, begin / 8);
      multiply(a + begin, lda, weights, b, 2 * strip.stride, pairs, sum);
    } else {
      const avx512::ByteWeights<Blocks, avx512::kHasGroups<Zero>> weights(zero, strip, begin / 8);
      multiply(a + begin, lda, weights, b, 2 * strip.stride, pairs, sum);
    }
  }
};

inline void gemm_u8s8(const GemmArgs& args) noexcept { avx512::gemm<Bytes>(args); }

}  // namespace nybble::kernels::avx512vnni
