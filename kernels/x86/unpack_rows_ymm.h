// 4-bit rows to bytes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace nybble::kernels::ymm {

/// `count` codes, a multiple of 64, of which `a` holds two a byte, to bytes in the order of k.
inline void unpack_row(const std::uint8_t* a, int count, std::uint8_t* codes) {
  const __m256i low = _mm256_set1_epi8(15);
  for (int k = 0; k < count; k += 64) {
    const __m256i two = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + k / 2));
    const __m256i even = _mm256_and_si256(two, low), odd = _mm256_and_si256(_mm256_srli_epi16(two, 4), low);
    const __m256i first = _mm256_unpacklo_epi32(even, odd), second = _mm256_unpackhi_epi32(even, odd);
    auto* out = reinterpret_cast<__m256i*>(codes + k);
    _mm256_store_si256(out, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_store_si256(out + 1, _mm256_permute2x128_si256(first, second, 0x31));
  }
}

}  // namespace nybble::kernels::ymm
