// 5-bit weights on AVX2: four vpmaddubsw add up in 16 bits (255 · 16 · 2 · 4 = 32,640). 6 rows × 16 columns:
// 12 sums of 16 bits, 2 registers of weights, a broadcast and a product; the 32-bit sums are in memory,
// touched once in four quads. 128 products cost five multiplications: 51.2 a cycle.
#pragma once

#include "kernels/x86/pairs_avx2.h"

namespace nybble::kernels::avx2 {

struct FourPairs : ByteRows {
  static constexpr int kTileRows = 6;
  static constexpr int kStepQuads = 4;

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    multiply_in_steps<FourPairs>(codes, b, stride, quads, ahead, sum);
  }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void step(const std::uint8_t* a, std::ptrdiff_t lda, const std::int8_t* b,
                                          std::ptrdiff_t stride, Ahead& ahead,
                                          __m256i (&pairs)[Rows][Vectors]) {
    quad<true>(a, lda, b, pairs);
    ahead.fetch();
    quad<false>(a + 4, lda, b + stride, pairs);
    quad<false>(a + 8, lda, b + stride * 2, pairs);
    ahead.fetch();
    quad<false>(a + 12, lda, b + stride * 3, pairs);
  }

  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void quad(const std::uint8_t* a, std::ptrdiff_t stride, const std::int8_t* b,
                                          __m256i (&pairs)[Rows][Vectors]) {
    __m256i weights[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) weights[v] = ymm::load(b + v * 32);
    gather<First>(a, stride, weights, pairs);
  }
};

inline void gemm_u8s5(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<FourPairs, false>(args);
  ymm::gemm<FourPairs, true>(args);
}

}  // namespace nybble::kernels::avx2
