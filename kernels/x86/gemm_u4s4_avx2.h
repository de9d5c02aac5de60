#pragma once
#include "kernels/x86/gemm_u8s4_avx2.h"
namespace nybble::kernels::avx2 {

struct FourBitRows : NibbleWeights {
  static constexpr int kRowBits = 4, kCodeBytes = 1;
  static constexpr int kMiddle = 8, kShift = 0, kGroupShift = 0;
  static constexpr int kDeepest = 72;  ///< 15 · 15 · 2 · 72 = 32,400

  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    const __m256i low = _mm256_set1_epi8(15);
    for (int k = 0; k < count; k += 64) {
      const __m256i two = ymm::load(a + k / 2);
      const __m256i even = _mm256_and_si256(two, low), odd = _mm256_and_si256(_mm256_srli_epi16(two, 4), low);
      const __m256i first = _mm256_unpacklo_epi32(even, odd), second = _mm256_unpackhi_epi32(even, odd);
      auto* out = reinterpret_cast<__m256i*>(codes + k);
      _mm256_store_si256(out, _mm256_permute2x128_si256(first, second, 0x20));
      _mm256_store_si256(out + 1, _mm256_permute2x128_si256(first, second, 0x31));
    }
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
  [[gnu::always_inline]] static void multiply(const Codes& codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, __m256i (&sum)[Rows][Vectors]) {
    alignas(32) __m256i total[Rows * Vectors];
    const std::uint8_t* a = codes.a;
    for (int done = 0; done < quads; done += 64) {
      __m256i pairs[Rows][Vectors];
      clear(pairs);
      for (int two = (quads - done < 64 ? quads - done : 64) / 4; two > 0; --two, a += 16, b += stride * 2) {
        gather_two<FourBitRows, false>(a, codes.stride, b, pairs);
        gather_two<FourBitRows, false>(a + 8, codes.stride, b + stride, pairs);
      }
      flush(pairs, done == 0, total);
    }
    take(total, sum);
  }
};

inline void gemm_u4s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<FourBitRows, false>(args);
  ymm::gemm<FourBitRows, true>(args);
}

}  // namespace nybble::kernels::avx2
