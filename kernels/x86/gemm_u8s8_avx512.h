// C = A (u8) × W (s8) without VNNI: exact by vpmaddwd on zmm, tiles of up to 12 rows × 32 columns.
//
// vpmaddubsw would saturate, so both sides become 16 bits wide: the even bytes of a quad by one
// multiplication, the odd ones by another, so that the pairs that it adds belong to one column.
#pragma once

#include "kernels/x86/operands_avx512.h"

namespace nybble::kernels::avx512 {

/// Adds the products of one half of a quad; `Odd` bytes or even ones.
template <bool Odd, int Rows, int Blocks>
[[gnu::always_inline]] inline void multiply_half(const RowAddresses<Rows>& a, std::ptrdiff_t lda, int offset,
                                                 const std::byte* b, __m512i (&sum)[Rows][Blocks]) {
  __m512i weights[Blocks];
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512i bytes = _mm512_loadu_si512(b + j * 64);
    weights[j] = _mm512_srai_epi16(Odd ? bytes : _mm512_slli_epi16(bytes, 8), 8);
    pin(weights[j]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    const __m512i quad = a.quad(r, lda, offset);
    const __m512i codes =
        Odd ? _mm512_srli_epi16(quad, 8) : _mm512_and_si512(quad, _mm512_set1_epi16(0x00FF));
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      sum[r][j] = _mm512_add_epi32(sum[r][j], _mm512_madd_epi16(codes, weights[j]));
      pin(sum[r][j]);
    }
  }
}

/// 24 sums, 2 registers of weights, a broadcast, a product and a mask: 29 of 32. A quad costs 48 vpmaddwd, 48
/// additions, 24 operations on rows and 6 on weights: 31.5 cycles on four vector pipes for 1536 products, 49
/// a cycle.
struct WideBytes {
  static constexpr int kRows = 12, kFewRows = 4, kShortRows = 6, kShortFewRows = 2;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* rows, std::ptrdiff_t lda, const Strip& strip,
                                          int begin, int end, Zero, __m512i (&sum)[Rows][Blocks]) {
    RowAddresses<Rows> a(rows + begin, lda);
    const std::byte* b = strip.weights + begin / 4 * strip.stride;
    for (int quad = 0; quad < (end - begin + 3) / 4; ++quad, b += strip.stride) {
      multiply_half<false>(a, lda, 0, b, sum);
      multiply_half<true>(a, lda, 0, b, sum);
      a.advance(4);
    }
  }
};

inline void gemm_u8s8(const GemmArgs& args) noexcept { gemm<WideBytes>(args); }

}  // namespace nybble::kernels::avx512
