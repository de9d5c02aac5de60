// Sums of a row's codes over a stretch of K.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace nybble::kernels::ymm {

/// Σ q of `count` bytes, a multiple of 32; as a float, which is exact: 1024 codes are below 2^18.
inline float sum_u8(const std::uint8_t* q, int count) {
  __m256i sums = _mm256_setzero_si256();
  for (int k = 0; k < count; k += 32) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + k));
    sums = _mm256_add_epi32(sums, _mm256_sad_epu8(codes, _mm256_setzero_si256()));
  }
  const __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  return static_cast<float>(_mm_cvtsi128_si32(_mm_add_epi32(half, _mm_unpackhi_epi64(half, half))));
}

}  // namespace nybble::kernels::ymm
