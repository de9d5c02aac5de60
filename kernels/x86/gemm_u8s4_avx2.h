// 4-bit weights on AVX2: eight vpmaddubsw add up in 16 bits. 6 rows × 16 columns, as at 5 bits; nibbles are
// unpacked in the loop, by two instructions and a half a register of weights, of which a tile needs two a
// quad. 256 products cost nine multiplications: 56.9 a cycle; with the additions and the unpacking 228
// instructions for 3,072 products on four pipes: 53.9.
#pragma once

#include "kernels/x86/pairs_avx2.h"

namespace nybble::kernels::avx2 {

struct NibbleWeights {
  static constexpr int kTileRows = 6;
  static constexpr int kStepQuads = 8;
  static constexpr int kBits = 4, kWeightBits = 4;
  static constexpr int kReadBytes = 1;
  static constexpr bool kMaskInMemory = false;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : 2; }
};

alignas(32) inline constexpr std::int64_t kLowNibbles[4] = {0x0F0F0F0F0F0F0F0F, 0x0F0F0F0F0F0F0F0F,
                                                            0x0F0F0F0F0F0F0F0F, 0x0F0F0F0F0F0F0F0F};

/// The low nibbles; where told so by a mask in memory, as in a register it would take the place of a sum.
template <bool InMemory>
[[gnu::always_inline]] inline __m256i low_nibbles(__m256i bytes) {
  if constexpr (!InMemory) return _mm256_and_si256(bytes, _mm256_set1_epi8(15));
  __m256i codes;
  __asm__("vpand %2, %1, %0" : "=x"(codes) : "x"(bytes), "m"(*reinterpret_cast<const __m256i*>(kLowNibbles)));
  return codes;
}

/// Two quads of a tile.
template <class Core, bool First, int Rows, int Vectors>
[[gnu::always_inline]] inline void gather_two(const std::uint8_t* a, std::ptrdiff_t stride,
                                              const std::int8_t* b, __m256i (&pairs)[Rows][Vectors]) {
  constexpr bool kMaskInMemory = Core::kMaskInMemory && Rows == Core::kTileRows;
  __m256i weights[Vectors];
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v)
    weights[v] = Core::weight(low_nibbles<kMaskInMemory>(ymm::load(b + v * 32)));
  Core::template gather<First>(a, stride, weights, pairs);
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v)
    weights[v] = Core::weight(low_nibbles<kMaskInMemory>(_mm256_srli_epi16(ymm::load(b + v * 32), 4)));
  Core::template gather<false>(a + 4, stride, weights, pairs);
}

template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void gather_eight(const std::uint8_t* a, std::ptrdiff_t lda,
                                                const std::int8_t* b, std::ptrdiff_t stride, Ahead& ahead,
                                                __m256i (&pairs)[Rows][Vectors]) {
  gather_two<Core, true>(a, lda, b, pairs);
  ahead.fetch();
  gather_two<Core, false>(a + 8, lda, b + stride, pairs);
  ahead.fetch();
  gather_two<Core, false>(a + 16, lda, b + stride * 2, pairs);
  ahead.fetch();
  gather_two<Core, false>(a + 24, lda, b + stride * 3, pairs);
  ahead.fetch();
}

/// Per channel the weights' codes are the unsigned side (0..15, as they come) and the rows' codes, less 128,
/// the signed one: 15 · 128 · 2 · 8 = 30,720. Rows are changed by one XOR when they are prepared.
struct UnsignedNibbles : NibbleWeights {
  static constexpr int kRowBits = 8, kCodeBytes = 1;
  static constexpr int kMiddle = 8, kShift = 128, kGroupShift = 0;
  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    for (int k = 0; k < count; k += 32) {
      const __m256i moved = _mm256_xor_si256(ymm::load(a + k), _mm256_set1_epi8(-128));
      _mm256_store_si256(reinterpret_cast<__m256i*>(codes + k), moved);
    }
  }
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_s8(q, count); }
  static __m256i weight(__m256i code) { return code; }
  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                            const __m256i (&weights)[Vectors],
                                            __m256i (&pairs)[Rows][Vectors]) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i q = ymm::broadcast_quad(a + r * stride);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        const __m256i pair = _mm256_maddubs_epi16(weights[v], q);
        if constexpr (First) {
          pairs[r][v] = pair;
          pin(pairs[r][v]);
        } else {
          ymm::add16(pairs[r][v], pair);
        }
      }
    }
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    multiply_in_steps<UnsignedNibbles>(codes, b, stride, quads, ahead, sum);
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void step(const std::uint8_t* a, std::ptrdiff_t lda, const std::int8_t* b,
                                          std::ptrdiff_t stride, Ahead& ahead,
                                          __m256i (&pairs)[Rows][Vectors]) {
    gather_eight<UnsignedNibbles>(a, lda, b, stride, ahead, pairs);
  }
};

/// In groups the rows' codes stay unsigned and the weights' codes lose 8: 255 · 8 · 2 · 8 = 32,640.
struct SignedNibbles : NibbleWeights {
  static constexpr int kRowBits = 8, kCodeBytes = 0;
  static constexpr int kMiddle = 0, kShift = 0, kGroupShift = 8;
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }
  static __m256i weight(__m256i code) { return _mm256_sub_epi8(code, _mm256_set1_epi8(8)); }
  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                            const __m256i (&weights)[Vectors],
                                            __m256i (&pairs)[Rows][Vectors]) {
    avx2::gather<First>(a, stride, weights, pairs);
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, Ahead& ahead, __m256i (&sum)[Rows][Vectors]) {
    multiply_in_steps<SignedNibbles>(codes, b, stride, quads, ahead, sum);
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void step(const std::uint8_t* a, std::ptrdiff_t lda, const std::int8_t* b,
                                          std::ptrdiff_t stride, Ahead& ahead,
                                          __m256i (&pairs)[Rows][Vectors]) {
    gather_eight<SignedNibbles>(a, lda, b, stride, ahead, pairs);
  }
};

inline void gemm_u8s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<UnsignedNibbles, false>(args);
  ymm::gemm<SignedNibbles, true>(args);
}

}  // namespace nybble::kernels::avx2
