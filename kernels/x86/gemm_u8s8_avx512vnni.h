// C = A (u8) × W (bytes) with vpdpbusd on zmm: tiles of up to 14 rows × 32 columns.
#pragma once

#include "kernels/x86/tile_avx512.h"

namespace nybble::kernels::avx512vnni {

/// Rows of a tile in threes, so that 14 addresses take 5 registers: row r is at[r / 3] + (r % 3) · lda.
template <int Rows>
struct RowAddresses {
  const std::uint8_t* at[(Rows + 2) / 3];

  [[gnu::always_inline]] RowAddresses(const std::uint8_t* a, std::ptrdiff_t lda) {
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) at[i] = a + 3 * i * lda;
  }
  [[gnu::always_inline]] void advance(int bytes) {
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) {
      at[i] += bytes;
      __asm__ volatile("" : "+r"(at[i]));  // or g++ keeps 14 addresses, most of them in memory
    }
  }
  [[gnu::always_inline]] __m512i quad(int r, std::ptrdiff_t lda, int offset) const {
    return _mm512_set1_epi32(load_quad(at[r / 3] + (r % 3) * lda + offset));
  }
};

/// How many quads in turn have sums of their own: a tile of one row has four chains of sums a quad, and
/// vpdpbusd, two a cycle and four cycles long, wants eight.
constexpr int chains_of(int rows, int blocks) { return rows * blocks < 8 ? 2 : 1; }

template <int Rows, int Blocks>
[[gnu::always_inline]] inline void multiply_quad(const RowAddresses<Rows>& a, std::ptrdiff_t lda, int offset,
                                                 const __m512i (&weights)[Blocks],
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
  RowAddresses<Rows> a(rows, lda);
  for (int pair = 0; pair < pairs; ++pair, b += step) {
    __m512i even[Blocks], odd[Blocks];
    w.load(b, even, odd);
    multiply_quad(a, lda, 0, even, sum);
    w.load_odd(b, even, odd);
    if constexpr (kChains == 2) {
      multiply_quad(a, lda, 4, odd, other);
    } else {
      multiply_quad(a, lda, 4, odd, sum);
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

/// Weights of a byte each, as they stand.
struct ByteWeights {
  std::ptrdiff_t stride;

  template <int Blocks>
  [[gnu::always_inline]] void load(const std::byte* b, __m512i (&even)[Blocks], __m512i (&)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      even[j] = _mm512_loadu_si512(b + j * 64);
      avx512::pin(even[j]);
    }
  }
  template <int Blocks>
  [[gnu::always_inline]] void load_odd(const std::byte* b, __m512i (&)[Blocks],
                                       __m512i (&odd)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      odd[j] = _mm512_loadu_si512(b + stride + j * 64);
      avx512::pin(odd[j]);
    }
  }
};

/// Weights of a byte each; 28 sums, 2 registers of weights and a broadcast fill 31 of 32 registers. A quad
/// costs 28 vpdpbusd, 2 loads of weights and 14 broadcasts: 14 cycles of multiplier against 8 of the load
/// ports at two a cycle.
struct Bytes {
  static constexpr int kRows = 14;

  template <int Rows, int Blocks>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda,
                                          const avx512::Strip& strip, int begin, int end, const std::int8_t*,
                                          __m512i (&sum)[Rows][Blocks]) {
    multiply(a + begin, lda, ByteWeights{strip.stride}, strip.weights + begin / 4 * strip.stride,
             2 * strip.stride, (end - begin + 7) / 8, sum);
  }
};

inline void gemm_u8s8(const GemmArgs& args) noexcept { avx512::gemm<Bytes>(args); }

}  // namespace nybble::kernels::avx512vnni
