// 4-bit weights by vpdpbusd on ymm: their codes 0..15 are multiplied as they come, and Σ q · 8 (or · z in
// groups) is taken off the sum.
#pragma once

#include "kernels/x86/gemm_u8s8_avxvnni.h"
#include "kernels/x86/unpack_rows_ymm.h"

namespace nybble::kernels::avxvnni {

struct Nibbles {
  static constexpr int kBits = 4, kRowBits = 8, kWeightBits = 4;
  static constexpr int kTileRows = 6;
  static constexpr int kMiddle = 8, kShift = 0, kGroupShift = 0;
  static constexpr int kCodeBytes = 0, kReadBytes = 1;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : 2; }
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const ymm::Codes codes, const std::int8_t* b,
                                              std::ptrdiff_t stride, int quads, ymm::Ahead& ahead,
                                              __m256i (&sum)[Rows][Vectors]) {
    ymm::clear(sum);
    const std::uint8_t *row0 = codes.a, *row3 = codes.a + 3 * codes.stride;
    for (; quads > 0; quads -= 8, row0 += 32, row3 += 32, b += stride * 4)
      add_pairs<0>(row0, row3, codes.stride, b, stride, ahead, sum);
  }

  /// Pairs of quads Pair..3: the first from the low nibbles, the second from the high ones.
  template <int Pair, int Rows, int Vectors>
  [[gnu::always_inline]] static void add_pairs(const std::uint8_t* row0, const std::uint8_t* row3,
                                               std::ptrdiff_t lda, const std::int8_t* b,
                                               std::ptrdiff_t stride, ymm::Ahead& ahead,
                                               __m256i (&sum)[Rows][Vectors]) {
    const __m256i low = _mm256_set1_epi8(15);
    __m256i weights[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) weights[v] = _mm256_and_si256(ymm::load(b + v * 32), low);
    add_quad<Pair * 8>(row0, row3, lda, weights, sum);
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v)
      weights[v] = _mm256_and_si256(_mm256_srli_epi16(ymm::load(b + v * 32), 4), low);
    add_quad<Pair * 8 + 4>(row0, row3, lda, weights, sum);
    ahead.fetch();
    if constexpr (Pair < 3) add_pairs<Pair + 1>(row0, row3, lda, b + stride, stride, ahead, sum);
  }
};

/// 4-bit rows, unpacked to bytes once a chunk of rows.
struct NibblesBySmallRows : Nibbles {
  static constexpr int kRowBits = 4, kCodeBytes = 1;
  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    ymm::unpack_row(a, count, codes);
  }
};

inline void gemm_u8s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<Nibbles, false>(args);
  ymm::gemm<Nibbles, true>(args);
}
inline void gemm_u4s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<NibblesBySmallRows, false>(args);
  ymm::gemm<NibblesBySmallRows, true>(args);
}

}  // namespace nybble::kernels::avxvnni
