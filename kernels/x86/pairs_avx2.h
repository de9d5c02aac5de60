// Products of u8 codes and small signed weights by vpmaddubsw, which adds two neighbouring products in 16
// bits, saturating. With b bits a pair is at most 255 · 2^(b-1) · 2 in size, so that `kDeep` of them may be
// added before vpmaddwd by ones takes them to 32 bits: 1 at 7 bits, 2 at 6, 4 at 5, 8 at 4.
#pragma once

#include "kernels/x86/product_ymm.h"

namespace nybble::kernels::avx2 {

using ymm::Ahead;
using ymm::Codes;
using ymm::pin;

/// What a core of byte weights has in common.
struct ByteRows {
  static constexpr int kBits = 8, kRowBits = 8, kWeightBits = 7;
  static constexpr int kMiddle = 0, kShift = 0, kGroupShift = 0;
  static constexpr int kCodeBytes = 0, kReadBytes = 1;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : 2; }
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }
};

/// Pairs that are taken to 32 bits at once: 7 bits, or two quads at a time 6 bits.
template <int Deep>
struct ShallowPairs : ByteRows {
  static constexpr int kTileRows = 4;

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    const std::uint8_t* a = codes.a;
    ymm::clear(sum);
    for (; quads > 0; quads -= 2 * Deep, a += 8 * Deep, b += stride * 2 * Deep) {
      add_quads(a, codes.stride, b, stride, sum);
#pragma GCC unroll 2
      for (int d = 0; d < Deep; ++d) ahead.fetch();
      add_quads(a + 4 * Deep, codes.stride, b + stride * Deep, stride, sum);
    }
  }

  /// `Deep` quads.
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void add_quads(const std::uint8_t* a, std::ptrdiff_t lda,
                                               const std::int8_t* b, std::ptrdiff_t stride,
                                               __m256i (&sum)[Rows][Vectors]) {
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      __m256i q[Deep];
#pragma GCC unroll 2
      for (int d = 0; d < Deep; ++d) q[d] = ymm::broadcast_quad(a + r * lda + d * 4);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        __m256i pairs = _mm256_maddubs_epi16(q[0], ymm::load(b + v * 32));
#pragma GCC unroll 2
        for (int d = 1; d < Deep; ++d)
          ymm::add16(pairs, _mm256_maddubs_epi16(q[d], ymm::load(b + d * stride + v * 32)));
        ymm::add32(sum[r][v], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
};

/// The sums of a tile in steps of Core::kStepQuads quads, each gathered in 16 bits by Core::step and then
/// taken to 32. Between steps the sums are in memory: 16 registers hold one set of them only.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_in_steps(const Codes& codes, const std::int8_t* b,
                                                     std::ptrdiff_t stride, int quads, Ahead& ahead,
                                                     __m256i (&sum)[Rows][Vectors]) {
  alignas(32) __m256i total[Rows * Vectors];
  const std::uint8_t* a = codes.a;
  for (int done = 0;;) {
    __m256i pairs[Rows][Vectors];
    Core::step(a, codes.stride, b, stride, ahead, pairs);
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sum[r][v] = _mm256_madd_epi16(pairs[r][v], ones);
    }
    if (done > 0) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v)
          sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_load_si256(total + r * Vectors + v));
      }
    }
    done += Core::kStepQuads;
    if (done >= quads) break;
    a += Core::kStepQuads * 4, b += stride * Core::kStepQuads * Core::kBits / 8;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) _mm256_store_si256(total + r * Vectors + v, sum[r][v]);
    }
  }
}

/// One quad of a tile: the first of a gathering sets the pairs, the others add to them.
template <bool First, int Rows, int Vectors>
[[gnu::always_inline]] inline void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                          const __m256i (&weights)[Vectors],
                                          __m256i (&pairs)[Rows][Vectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const __m256i q = ymm::broadcast_quad(a + r * stride);
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const __m256i pair = _mm256_maddubs_epi16(q, weights[v]);
      if constexpr (First) {
        pairs[r][v] = pair;
        pin(pairs[r][v]);
      } else {
        ymm::add16(pairs[r][v], pair);
      }
    }
  }
}

}  // namespace nybble::kernels::avx2
