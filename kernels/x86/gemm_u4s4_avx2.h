#pragma once
#include "kernels/x86/gemm_u8s4_avx2.h"
#include "kernels/x86/unpack_rows_ymm.h"
namespace nybble::kernels::avx2 {

struct FourBitRows : NibbleWeights {
  static constexpr int kRowBits = 4, kCodeBytes = 1;
  static constexpr int kMiddle = 8, kShift = 0, kGroupShift = 0;
  static constexpr int kDeepest = 72;  ///< 15 · 15 · 2 · 72 = 32,400

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
  [[gnu::noinline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                         int quads, __m256i* sums) {
    const std::uint8_t* a = codes.a;
    for (int done = 0; done < quads; done += 64) {
      __m256i pairs[Rows][Vectors];
      ymm::clear(pairs);
      for (int two = (quads - done < 64 ? quads - done : 64) / 4; two > 0; --two, a += 16, b += stride * 2) {
        gather_two<FourBitRows, false>(a, codes.stride, b, pairs);
        gather_two<FourBitRows, false>(a + 8, codes.stride, b + stride, pairs);
      }
      flush(pairs, done == 0, sums);
    }
  }
};

inline void gemm_u4s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<FourBitRows, false>(args);
  ymm::gemm<FourBitRows, true>(args);
}

}  // namespace nybble::kernels::avx2
