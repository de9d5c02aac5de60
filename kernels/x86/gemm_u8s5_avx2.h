#pragma once
#include "kernels/x86/pairs_avx2.h"
namespace nybble::kernels::avx2 {

struct FourPairs : ByteRows {
  static constexpr int kTileRows = 6;

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes& codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, __m256i (&sum)[Rows][Vectors]) {
    alignas(32) __m256i total[Rows * Vectors];
    const std::uint8_t* a = codes.a;
    clear(sum);
    flush(sum, true, total);
    for (int four = quads / 4; four > 0; --four, a += 16, b += stride * 4) {
      __m256i pairs[Rows][Vectors];
      quad<true>(a, codes.stride, b, pairs);
      quad<false>(a + 4, codes.stride, b + stride, pairs);
      quad<false>(a + 8, codes.stride, b + stride * 2, pairs);
      quad<false>(a + 12, codes.stride, b + stride * 3, pairs);
      flush(pairs, false, total);
    }
    take(total, sum);
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
