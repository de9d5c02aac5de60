// Products of weights of 7 bits and fewer without VNNI: vpmaddubsw on zmm, sums of 16 bits that cannot
// overflow.
//
// vpmaddubsw adds two products of one column into 16 bits; `depth` such results are added before vpmaddwd by
// ones widens them to 32. A depth is safe where 2 · depth · (greatest row code) · (greatest |code - zero|) ≤
// 32767.
#pragma once

#include "kernels/x86/gemm_u4s4_avx512.h"
#include "kernels/x86/operands_avx512.h"

namespace nybble::kernels::avx512 {

/// The greatest power of two that is a safe depth.
constexpr int safe_depth(int row_code, int weight) {
  int depth = 1;
  while (2 * 2 * depth * row_code * weight <= 32767) depth *= 2;
  return depth;
}
static_assert(safe_depth(255, 64) == 1 && safe_depth(255, 32) == 2 && safe_depth(255, 16) == 4);
static_assert(safe_depth(255, 8) == 8 && safe_depth(15, 8) == 128 && safe_depth(15, 15) == 64);

template <bool First, int Rows, int Blocks>
[[gnu::always_inline]] inline void multiply_narrow_quad(const RowAddresses<Rows>& a, std::ptrdiff_t lda,
                                                        int offset, const __m512i (&weights)[Blocks],
                                                        __m512i (&narrow)[Rows][Blocks]) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    const __m512i codes = a.quad(r, lda, offset);
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      const __m512i pairs = _mm512_maddubs_epi16(codes, weights[j]);
      narrow[r][j] = First ? pairs : _mm512_add_epi16(narrow[r][j], pairs);
      pin(narrow[r][j]);
    }
  }
}

template <int Rows, int Blocks>
[[gnu::always_inline]] inline void widen(const __m512i (&narrow)[Rows][Blocks],
                                         __m512i (&sum)[Rows][Blocks]) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      sum[r][j] = _mm512_add_epi32(sum[r][j], _mm512_madd_epi16(narrow[r][j], _mm512_set1_epi16(1)));
      pin(sum[r][j]);
    }
  }
}

/// Adds the products of `pairs` pairs of quads, `Depth` quads at a time. `pairs` is a multiple of 4.
template <int Depth, int Rows, int Blocks, class Weights>
[[gnu::always_inline]] inline void multiply_narrow(const std::uint8_t* rows, std::ptrdiff_t lda,
                                                   const Weights& w, const std::byte* b, std::ptrdiff_t step,
                                                   int pairs, __m512i (&sum)[Rows][Blocks]) {
  RowAddresses<Rows> a(rows, lda);
  while (pairs > 0) {
    constexpr int kPairs = Depth < 2 ? 1 : Depth / 2;
    const int here = kPairs <= 4 || pairs > kPairs ? kPairs : pairs;
    __m512i weights[Blocks], narrow[Rows][Blocks];
    w.even(b, weights);
    multiply_narrow_quad<true>(a, lda, 0, weights, narrow);
    if constexpr (Depth == 1) widen(narrow, sum);
    w.odd(b, weights);
    multiply_narrow_quad<Depth == 1>(a, lda, 4, weights, narrow);
    for (int pair = 1; pair < here; ++pair) {
      a.advance(8);
      b += step;
      w.even(b, weights);
      multiply_narrow_quad<false>(a, lda, 0, weights, narrow);
      w.odd(b, weights);
      multiply_narrow_quad<false>(a, lda, 4, weights, narrow);
    }
    widen(narrow, sum);
    a.advance(8);
    b += step;
    pairs -= here;
  }
}

/// Weights of `Bits` bits, a byte each: 12 sums of 32 bits, 12 of 16, 2 registers of weights, a broadcast, a
/// product and the ones are 29 of 32 registers. In groups a third kind of sums, of floats, leaves room for 4
/// rows.
template <int Bits>
struct NarrowBytes {
  static constexpr int kRows = 6, kFewRows = 2, kShortRows = 4, kShortFewRows = 1;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda, const Strip& strip,
                                          int begin, int end, Zero zero, __m512i (&sum)[Rows][Blocks]) {
    constexpr int kGreatest = kHasGroups<Zero> ? (1 << Bits) - 1 : 1 << (Bits - 1);
    const ByteWeights<Blocks, kHasGroups<Zero>> weights(zero, strip, begin / 8);
    multiply_narrow<safe_depth(255, kGreatest)>(a + begin, lda, weights,
                                                strip.weights + begin / 4 * strip.stride, 2 * strip.stride,
                                                round_up(end - begin, 32) / 8, sum);
  }
};

/// Weights of 4 bits against row codes up to RowCode.
template <int RowCode>
struct NarrowNibbles {
  static constexpr int kRows = 6, kFewRows = 2, kShortRows = 4, kShortFewRows = 1;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda, const Strip& strip,
                                          int begin, int end, Zero zero, __m512i (&sum)[Rows][Blocks]) {
    const NibbleWeights<Blocks> weights(zero, strip, begin / 8);
    multiply_narrow<safe_depth(RowCode, kHasGroups<Zero> ? 15 : 8)>(
        a + begin, lda, weights, strip.weights + begin / 8 * strip.stride, strip.stride,
        round_up(end - begin, 32) / 8, sum);
  }
};

inline void gemm_u8s7(const GemmArgs& args) noexcept { gemm<NarrowBytes<7>>(args); }
inline void gemm_u8s6(const GemmArgs& args) noexcept { gemm<NarrowBytes<6>>(args); }
inline void gemm_u8s5(const GemmArgs& args) noexcept { gemm<NarrowBytes<5>>(args); }
inline void gemm_u8s4(const GemmArgs& args) noexcept { gemm<NarrowNibbles<255>>(args); }
inline void gemm_u4s4(const GemmArgs& args) noexcept { gemm_u4<NarrowNibbles<15>>(args); }

}  // namespace nybble::kernels::avx512
