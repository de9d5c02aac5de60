// C = A (u8) × W (4 bits) with vpdpbusd on zmm: tiles of up to 12 rows × 32 columns, nibbles unpacked in the
// loop.
#pragma once

#include "kernels/x86/gemm_u8s8_avx512vnni.h"

namespace nybble::kernels::avx512vnni {

/// 24 sums, 2 registers of weights, 2 of zero codes, a mask and a broadcast: 30 of 32 registers. A pair of
/// quads costs 48 vpdpbusd, 24 cycles of multiplier; 10 operations of unpacking go to the two other vector
/// pipes, and 28 loads take 14 cycles.
struct Nibbles {
  static constexpr int kRows = 12, kFewRows = 4, kShortRows = 6, kShortFewRows = 2;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda,
                                          const avx512::Strip& strip, int begin, int end, Zero zero,
                                          __m512i (&sum)[Rows][Blocks]) {
    const avx512::NibbleWeights<Blocks> weights(zero, strip, begin / 8);
    multiply(a + begin, lda, weights, strip.weights + begin / 8 * strip.stride, strip.stride,
             (end - begin + 7) / 8, sum);
  }
};

inline void gemm_u8s4(const GemmArgs& args) noexcept { avx512::gemm<Nibbles>(args); }

}  // namespace nybble::kernels::avx512vnni
