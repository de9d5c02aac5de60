// C = A (u8) × W (s8): by vpmaddubsw where nearly all pairs of codes allow it (product_centred_avx2.h), else
// by vpmaddwd on 16 bits.
#pragma once

#include "kernels/x86/product_centred_avx2.h"

namespace nybble::kernels::avx2 {

/// Both sides 16 bits wide: tiles of up to 6 rows × 8 columns, whatever the codes.
struct WideCodes {
  static constexpr int kBits = 8, kRowBits = 8, kWeightBits = 8;
  static constexpr int kTileRows = 6;
  static constexpr int kMiddle = 0, kShift = 0, kGroupShift = 0;
  static constexpr int kCodeBytes = 2, kReadBytes = 2;
  static constexpr int vectors(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    for (int k = 0; k < count; k += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + k));
      _mm256_store_si256(reinterpret_cast<__m256i*>(codes + k * 2), _mm256_cvtepu8_epi16(bytes));
    }
  }
  static float sum(const std::uint8_t*, int) { return 0; }

  static __m256i widen(const std::int8_t* b) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  }
  static __m256i broadcast(const std::uint8_t* a) {
    long long quad;
    std::memcpy(&quad, a, sizeof quad);
    return _mm256_set1_epi64x(quad);
  }

  template <int Rows, int Halves>
  [[gnu::always_inline]] static void add_quad(const std::uint8_t* a, std::ptrdiff_t stride,
                                              const std::int8_t* b, __m256i (&half)[Rows][Halves]) {
    __m256i weights[Halves];
#pragma GCC unroll 8
    for (int v = 0; v < Halves; ++v) weights[v] = widen(b + v * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i q = broadcast(a + r * stride);
#pragma GCC unroll 8
      for (int v = 0; v < Halves; ++v) ymm::add32(half[r][v], _mm256_madd_epi16(q, weights[v]));
    }
  }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const ymm::Codes codes, const std::int8_t* b,
                                              std::ptrdiff_t stride, int quads, ymm::Ahead& ahead,
                                              __m256i (&sum)[Rows][Vectors]) {
    constexpr int kHalves = Vectors * 2;
    __m256i half[Rows][kHalves];
    ymm::clear(half);
    const std::uint8_t* a = codes.a;
    for (; quads > 0; quads -= 2, a += 16, b += stride * 2) {
      add_quad(a, codes.stride, b, half);
      ahead.fetch();
      add_quad(a + 8, codes.stride, b + stride, half);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        const __m256i both = _mm256_hadd_epi32(half[r][v * 2], half[r][v * 2 + 1]);
        sum[r][v] = _mm256_permute4x64_epi64(both, 0xD8);
      }
    }
  }
};

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  const int done = centred_gemm(args);
  if (done == args.m) return;
  GemmArgs rest = args;
  rest.a += done * args.lda, rest.c += done * args.ldc, rest.m -= done;
  rest.rows += std::ptrdiff_t{done} * row_block_count(args.k, args.format);
  ymm::gemm<WideCodes, false>(rest, done);
}

}  // namespace nybble::kernels::avx2
