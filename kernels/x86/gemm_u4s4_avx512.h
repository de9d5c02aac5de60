// Rows of 4 bits become rows of bytes, a few at a time, for the products of sets with AVX-512.
#pragma once

#include "kernels/scalar/gemm.h"
#include "kernels/x86/tile_avx512.h"

namespace nybble::kernels::avx512 {

/// On the stack: 64 rows of K = 384, 8 of K = 3072.
inline constexpr int kExpandedBytes = 24 * 1024;

/// 32 bytes of a row to 64 codes in the order of k: each four bytes hold a quad in their low nibbles, the
/// next in their high.
inline __m512i expand(__m256i packed) {
  const __m512i pairs = _mm512_cvtepu32_epi64(packed);
  return _mm512_and_si512(_mm512_or_si512(pairs, _mm512_slli_epi64(pairs, 28)), _mm512_set1_epi8(15));
}

inline void expand_rows(const std::uint8_t* a, std::ptrdiff_t lda, int rows, int depth, std::uint8_t* to) {
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < depth; k += 64) {
      const auto* from = reinterpret_cast<const __m256i*>(a + r * lda + k / 2);
      _mm512_storeu_si512(to + r * depth + k, expand(_mm256_loadu_si256(from)));
    }
  }
}

/// 4-bit rows through a product of bytes: expanding once for all panels costs an instruction for 16 codes,
/// while doing it in the loop of a tile would take three for 4.
template <class Product>
inline void gemm_u4(const GemmArgs& args) noexcept {
  const int depth = padded_depth(args.k), most = kExpandedBytes / depth;
  if (most == 0) return scalar::gemm<4, 4>(args);  // K > 24576: no encoder has such layers
  const int step = most > Product::kRows ? most / Product::kRows * Product::kRows : most;
  alignas(64) std::uint8_t codes[kExpandedBytes];
  for (int row = 0; row < args.m; row += step) {
    GemmArgs part = args;
    part.m = args.m - row < step ? args.m - row : step;
    expand_rows(args.a + row * args.lda, args.lda, part.m, depth, codes);
    part.a = codes, part.lda = depth;
    part.rows = args.rows + std::ptrdiff_t{row} * row_block_count(args.k, args.format);
    part.c = args.c + row * args.ldc;
    gemm<Product>(part, row);
  }
}

}  // namespace nybble::kernels::avx512
