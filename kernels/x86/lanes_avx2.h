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
  static constexpr int kRows = 6;     ///< queries of a tile
  static constexpr int kVectors = 2;  ///< of a tile: 12 sums of 16 registers
  static constexpr bool kBytes = false;
  static constexpr int kWordsBegin[4] = {0, 8, 16, 24}, kWordsOrder[8] = {0, 1, 4, 5, 2, 3, 6, 7};

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
  static Float to_float(Int a) { return _mm256_cvtepi32_ps(a); }
  static Int shift_left_15(Int a) { return _mm256_slli_epi32(a, 15); }
  [[gnu::always_inline]] static void store_largest(const Float (&a)[8], float* to) {
    store_floats(to, fold<Greater>(a));
  }
  [[gnu::always_inline]] static void store_sums(const Int (&a)[8], std::int32_t* to) {
    Float floats[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) floats[i] = _mm256_castsi256_ps(a[i]);
    store(to, _mm256_castps_si256(fold<Sum>(floats)));
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

  /// magic + 2^n · Σ c[j]·(z - n)^j, n = rint(z), for z ≤ 0, rounded: the weight in the low bits. Four
  /// registers go side by side: one alone is a chain of 35 cycles. Below -64, NaN included, z is -64, where
  /// the weight is 0. The scale is 2^(n - 1), made of the bits of n + 126, and the polynomial doubled.
  template <int N>
  static void weigh(const float (&c)[N], Float (&z)[4], float magic) {
    const Float shift = set(0x1.8p+23F + 126), least = set(-64.0F);
    Float shifted[4], p[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      z[i] = _mm256_castsi256_ps(_mm256_min_epu32(_mm256_castps_si256(z[i]), _mm256_castps_si256(least)));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) shifted[i] = _mm256_add_ps(z[i], shift);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) z[i] = subtract(z[i], subtract(shifted[i], shift));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) p[i] = fma(set(2 * c[N - 1]), z[i], set(2 * c[N - 2]));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      shifted[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(shifted[i]), 23));
    }
#pragma GCC unroll 8
    for (int j = N - 3; j >= 0; --j) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) p[i] = fma(p[i], z[i], set(2 * c[j]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) z[i] = fma(p[i], shifted[i], set(magic));
  }

  static Int pack_words(Float a, Float b) { return _mm256_packus_epi32(low_words(a), low_words(b)); }

 private:
  static __m256d total_of(__m128i sum, const double* partial, __m128i offset) {
    const __m256d known = _mm256_add_pd(_mm256_cvtepi32_pd(sum), _mm256_loadu_pd(partial));
    return _mm256_fmadd_pd(_mm256_cvtepi32_pd(offset), _mm256_set1_pd(32768), known);
  }
  struct Greater {
    static Float of(Float a, Float b) { return _mm256_max_ps(a, b); }
  };
  struct Sum {
    static Float of(Float a, Float b) {
      return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
    }
  };
  template <class F>
  [[gnu::always_inline]] static Float fold(const Float (&a)[8]) {
    Float four[4], two[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      four[i] = F::of(_mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      two[i] = F::of(_mm256_shuffle_ps(four[2 * i], four[2 * i + 1], 0x44),
                     _mm256_shuffle_ps(four[2 * i], four[2 * i + 1], 0xEE));
    }
    return F::of(_mm256_permute2f128_ps(two[0], two[1], 0x20), _mm256_permute2f128_ps(two[0], two[1], 0x31));
  }
  static Int low_words(Float a) {
    return _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0xFFFF));
  }
};

#ifdef __AVXVNNI__
/// The same with vpdpbusd and vpdpwssd in VEX encoding.
struct LanesAvxVnni : LanesAvx2 {
  static constexpr bool kBytes = true;
  static constexpr int kBytesBegin[4] = {0, 2, 8, 10}, kBytesOrder[4] = {0, 4, 1, 5};

  static Int dot_pairs(Int sum, Int a, Int b) { return _mm256_dpwssd_avx_epi32(sum, a, b); }
  static Int dot_quads(Int sum, Int a, Int b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
  static Int pack_bytes(const Float (&w)[4]) {
    return _mm256_packus_epi16(pack_words(w[0], w[1]), pack_words(w[2], w[3]));
  }
};
#endif

}  // namespace nybble::kernels
