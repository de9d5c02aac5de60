// What integer attention asks of ymm registers, with VNNI and without.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace nybble::kernels {

/// Eight int32 sums in a register and multiplications of 16-bit pairs; as LanesAvx512.
struct LanesAvx2 {
  using Int = __m256i;
  using Float = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kVectors = 2;  ///< that a tile of six rows keeps side by side: 12 sums of 16 registers
  static constexpr bool kBytes = false;

  static Int zero() { return _mm256_setzero_si256(); }
  static Int load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, Int a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
  static Int broadcast(std::int32_t x) { return _mm256_set1_epi32(x); }
  static Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  static Int subtract(Int a, Int b) { return _mm256_sub_epi32(a, b); }
  static Int exclusive_or(Int a, Int b) { return _mm256_xor_si256(a, b); }
  static Int dot_pairs(Int sum, Int a, Int b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
  static void pin(Int& a) { __asm__ volatile("" : "+x"(a)); }

  static Float load_floats(const float* p) { return _mm256_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm256_storeu_ps(p, a); }
  static void store_first(float* p, Float a, int n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lanes), a);
  }
  static Float set(float x) { return _mm256_set1_ps(x); }
  static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static float largest(Float a) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static Float to_float(Int a) { return _mm256_cvtepi32_ps(a); }
  static std::int64_t sum(Int a) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1))));
  }

  static Float total(Int sum, const double* partial, Int offset) {
    const __m256d low = total_of(_mm256_castsi256_si128(sum), partial, _mm256_castsi256_si128(offset));
    const __m256d high =
        total_of(_mm256_extracti128_si256(sum, 1), partial + 4, _mm256_extracti128_si256(offset, 1));
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
  }
  static void add_to(double* partial, Int sum) {
    const __m256d low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(sum));
    const __m256d high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(sum, 1));
    _mm256_storeu_pd(partial, _mm256_add_pd(_mm256_loadu_pd(partial), low));
    _mm256_storeu_pd(partial + 4, _mm256_add_pd(_mm256_loadu_pd(partial + 4), high));
  }

  /// As LanesAvx512's; -64 stands for all below it, where every weight is 0.
  template <int N>
  static Int weights(const float (&c)[N], Float z) {
    z = max(z, set(-64.0F));
    const Float shift = set(0x1.8p+23F), shifted = _mm256_add_ps(z, shift);  // rint(z) in the low bits
    const Float r = subtract(z, subtract(shifted, shift));
    Float p = set(c[N - 1]);
#pragma GCC unroll 8
    for (int j = N - 2; j >= 0; --j) p = fma(p, r, set(c[j]));
    const Int exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_cvtps_epi32(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent)));
  }

  /// 16 weights as 16 bits.
  static void store_words(Int a, Int b, Int flip, void* p) {
    const Int words = _mm256_xor_si256(_mm256_packus_epi32(a, b), flip);
    store(p, _mm256_permute4x64_epi64(words, 0xD8));
  }
  /// 32 weights as bytes.
  static void store_bytes(const Int (&w)[4], void* p) {
    const Int bytes = _mm256_packus_epi16(_mm256_packs_epi32(w[0], w[1]), _mm256_packs_epi32(w[2], w[3]));
    store(p, _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }
  static void store_16_words(const Int (&w)[2], Int flip, void* p) { store_words(w[0], w[1], flip, p); }
  static void store_16_bytes(const Int (&w)[2], void* p) {
    const Int words = _mm256_permute4x64_epi64(_mm256_packs_epi32(w[0], w[1]), 0xD8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(static_cast<__m128i*>(p), bytes);
  }

 private:
  static __m256d total_of(__m128i sum, const double* partial, __m128i offset) {
    const __m256d known = _mm256_add_pd(_mm256_cvtepi32_pd(sum), _mm256_loadu_pd(partial));
    return _mm256_fmadd_pd(_mm256_cvtepi32_pd(offset), _mm256_set1_pd(32768), known);
  }
};

#ifdef __AVXVNNI__
/// The same with vpdpbusd and vpdpwssd in VEX encoding.
struct LanesAvxVnni : LanesAvx2 {
  static constexpr bool kBytes = true;

  static Int dot_pairs(Int sum, Int a, Int b) { return _mm256_dpwssd_avx_epi32(sum, a, b); }
  static Int dot_quads(Int sum, Int a, Int b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
};
#endif

}  // namespace nybble::kernels
