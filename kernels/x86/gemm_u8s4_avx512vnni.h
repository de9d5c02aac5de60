// C = A (u8) × W (4 bits) with vpdpbusd on zmm: tiles of up to 12 rows × 32 columns, nibbles unpacked in the
// loop.
#pragma once

#include "kernels/x86/gemm_u8s8_avx512vnni.h"

namespace nybble::kernels::avx512vnni {

/// Signed bytes, code - zero, of a pair of quads. The zero code is 8 per channel.
template <int Blocks>
struct NibbleWeights {
  __m512i zero[Blocks];

  [[gnu::always_inline]] NibbleWeights(std::nullptr_t, std::ptrdiff_t) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) zero[j] = _mm512_set1_epi8(8);
  }
  [[gnu::always_inline]] NibbleWeights(const std::int8_t* zeros, std::ptrdiff_t) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) zero[j] = spread(zeros + j * 16);
  }
  [[gnu::always_inline]] __m512i code(__m512i nibbles, int j) const {
    return _mm512_sub_epi8(_mm512_and_si512(nibbles, _mm512_set1_epi8(15)), zero[j]);
  }
  [[gnu::always_inline]] void even(const std::byte* b, __m512i (&weights)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      _mm_prefetch(reinterpret_cast<const char*>(b + j * 64 + kAhead), _MM_HINT_T0);
      weights[j] = code(_mm512_loadu_si512(b + j * 64), j);
      avx512::pin(weights[j]);
    }
  }
  /// Loads the bytes again rather than keep them: load ports have time, registers are scarce.
  [[gnu::always_inline]] void odd(const std::byte* b, __m512i (&weights)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      weights[j] = code(_mm512_srli_epi16(_mm512_loadu_si512(b + j * 64), 4), j);
      avx512::pin(weights[j]);
    }
  }
};

/// 24 sums, 2 registers of weights, 2 of zero codes, a mask and a broadcast: 30 of 32 registers. A pair of
/// quads costs 48 vpdpbusd, 24 cycles of multiplier; 10 operations of unpacking go to the two other vector
/// pipes, and 28 loads take 14 cycles.
struct Nibbles {
  static constexpr int kRows = 12;

  template <int Rows, int Blocks, class Zero>
  [[gnu::always_inline]] static void sums(const std::uint8_t* a, std::ptrdiff_t lda,
                                          const avx512::Strip& strip, int begin, int end, Zero zero,
                                          __m512i (&sum)[Rows][Blocks]) {
    const NibbleWeights<Blocks> weights(zero, strip.stride);
    multiply(a + begin, lda, weights, strip.weights + begin / 8 * strip.stride, strip.stride,
             (end - begin + 7) / 8, sum);
  }
};

inline void gemm_u8s4(const GemmArgs& args) noexcept { avx512::gemm<Nibbles>(args); }

}  // namespace nybble::kernels::avx512vnni
