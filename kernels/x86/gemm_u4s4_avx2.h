// 4-bit rows and 4-bit weights on AVX2: codes 0..15 on both sides, so that 72 vpmaddubsw add up in 16 bits
// (15 · 15 · 2 · 72 = 32,400): 144 products. One multiplication and one addition for 32 products: 64 a cycle
// by the multipliers, 56.9 with the unpacking (54 instructions for 768 products on four pipes).
#pragma once

#include "kernels/x86/gemm_u8s4_avx2.h"
#include "kernels/x86/unpack_rows_ymm.h"

namespace nybble::kernels::avx2 {

struct FourBitRows : NibbleWeights {
  static constexpr bool kMaskInMemory = true;
  static constexpr int kRowBits = 4, kCodeBytes = 1;
  static constexpr int kMiddle = 8, kShift = 0, kGroupShift = 0;
  static constexpr int kDeep = 64;  ///< quads in 16 bits: 15 · 15 · 2 · 64 = 28,800

  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    ymm::unpack_row(a, count, codes);
  }
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }
  static __m256i weight(__m256i code) { return code; }
  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                            const __m256i (&weights)[Vectors],
                                            __m256i (&pairs)[Rows][Vectors]) {
    avx2::gather<First>(a, stride, weights, pairs);
  }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    if (quads <= kDeep) return gather_all(codes.a, codes.stride, b, stride, quads, ahead, sum);
    alignas(32) __m256i total[Rows * Vectors];
    const std::uint8_t* a = codes.a;
    for (int done = 0;; done += kDeep, a += kDeep * 4, b += stride * (kDeep / 2)) {
      gather_all(a, codes.stride, b, stride, quads - done < kDeep ? quads - done : kDeep, ahead, sum);
#pragma GCC unroll 16
      for (int i = 0; i < Rows * Vectors; ++i) {
        __m256i& s = sum[i / Vectors][i % Vectors];
        if (done > 0) s = _mm256_add_epi32(s, _mm256_load_si256(total + i));
      }
      if (done + kDeep >= quads) break;
#pragma GCC unroll 16
      for (int i = 0; i < Rows * Vectors; ++i) _mm256_store_si256(total + i, sum[i / Vectors][i % Vectors]);
    }
  }

  /// At most kDeep quads.
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void gather_all(const std::uint8_t* a, std::ptrdiff_t lda,
                                                const std::int8_t* b, std::ptrdiff_t stride, int quads,
                                                Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    ymm::clear(sum);
    for (; quads > 0; quads -= 4, a += 16, b += stride * 2) {
      gather_two<FourBitRows, false>(a, lda, b, sum);
      ahead.fetch();
      gather_two<FourBitRows, false>(a + 8, lda, b + stride, sum);
      ahead.fetch();
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sum[r][v] = _mm256_madd_epi16(sum[r][v], _mm256_set1_epi16(1));
    }
  }
};

inline void gemm_u4s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<FourBitRows, false>(args);
  ymm::gemm<FourBitRows, true>(args);
}

}  // namespace nybble::kernels::avx2
