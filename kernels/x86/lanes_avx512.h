// What integer attention asks of zmm registers, with VNNI and without.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace nybble::kernels {

/// Sixteen int32 sums in a register and multiplications of 16-bit pairs.
struct LanesAvx512 {
  using Int = __m512i;
  using Float = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kRows = 8;        ///< queries of a tile
  static constexpr int kVectors = 2;     ///< of a tile: 16 sums of 32 registers
  static constexpr bool kBytes = false;  ///< no exact product of bytes
  /// Where a block's weights stand: the first group of every 16 keys, and the groups of those 16.
  static constexpr int kWordsBegin[4] = {0, 8, 16, 24}, kWordsOrder[8] = {0, 1, 2, 3, 4, 5, 6, 7};

  static Int zero() { return _mm512_setzero_si512(); }
  static Int load(const void* p) { return _mm512_loadu_si512(p); }
  static void store(void* p, Int a) { _mm512_storeu_si512(p, a); }
  static Int broadcast(std::int32_t x) { return _mm512_set1_epi32(x); }
  static Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  static Int subtract(Int a, Int b) { return _mm512_sub_epi32(a, b); }
  static Int exclusive_or(Int a, Int b) { return _mm512_xor_si512(a, b); }
  /// sum + a₀·b₀ + a₁·b₁ of 16-bit pairs; no pair of -32768s on both sides.
  static Int dot_pairs(Int sum, Int a, Int b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
  /// Keeps a sum in a register (g++ 12 spills it otherwise).
  static void pin(Int& a) { __asm__ volatile("" : "+v"(a)); }

  static Float load_floats(const float* p) { return _mm512_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm512_storeu_ps(p, a); }
  static void store_first(float* p, Float a, int n) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), a);
  }
  static Float set(float x) { return _mm512_set1_ps(x); }
  static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float to_float(Int a) { return _mm512_cvtepi32_ps(a); }
  static Int shift_left_15(Int a) { return _mm512_slli_epi32(a, 15); }
  /// The greatest lane of each register.
  [[gnu::always_inline]] static void store_largest(const Float (&a)[8], float* to) {
    store_lanes(fold<Greater>(a), to);
  }
  /// The sum of each register's lanes.
  [[gnu::always_inline]] static void store_sums(const Int (&a)[8], std::int32_t* to) {
    Float floats[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) floats[i] = _mm512_castsi512_ps(a[i]);
    store_lanes(fold<Sum>(floats), to);
  }

  /// float(sum + partial + 32768 · offset), rounded once; partial and what is stored there are whole numbers.
  static Float total(Int sum, const double* partial, Int offset) {
    const __m512d low = total_of(_mm512_castsi512_si256(sum), partial, _mm512_castsi512_si256(offset));
    const __m512d high =
        total_of(_mm512_extracti64x4_epi64(sum, 1), partial + 8, _mm512_extracti64x4_epi64(offset, 1));
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
  }
  /// partial += sum
  static void add_to(double* partial, Int sum) {
    const __m512d low = _mm512_cvtepi32_pd(_mm512_castsi512_si256(sum));
    const __m512d high = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(sum, 1));
    _mm512_storeu_pd(partial, _mm512_add_pd(_mm512_loadu_pd(partial), low));
    _mm512_storeu_pd(partial + 8, _mm512_add_pd(_mm512_loadu_pd(partial + 8), high));
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
      z[i] = _mm512_castsi512_ps(_mm512_min_epu32(_mm512_castps_si512(z[i]), _mm512_castps_si512(least)));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) shifted[i] = _mm512_add_ps(z[i], shift);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) z[i] = subtract(z[i], subtract(shifted[i], shift));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) p[i] = fma(set(2 * c[N - 1]), z[i], set(2 * c[N - 2]));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      shifted[i] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(shifted[i]), 23));
    }
#pragma GCC unroll 8
    for (int j = N - 3; j >= 0; --j) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) p[i] = fma(p[i], z[i], set(2 * c[j]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) z[i] = fma(p[i], shifted[i], set(magic));
  }

  /// The low 16 bits of 32 floats.
  static Int pack_words(Float a, Float b) {
    return _mm512_permutex2var_epi16(_mm512_castps_si512(a), _mm512_loadu_si512(kEvenWords),
                                     _mm512_castps_si512(b));
  }

 private:
  static __m512d total_of(__m256i sum, const double* partial, __m256i offset) {
    const __m512d known = _mm512_add_pd(_mm512_cvtepi32_pd(sum), _mm512_loadu_pd(partial));
    return _mm512_fmadd_pd(_mm512_cvtepi32_pd(offset), _mm512_set1_pd(32768), known);
  }
  static constexpr std::int16_t kEvenWords[32] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20,
                                                  22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                                  44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
  struct Greater {
    static Float of(Float a, Float b) { return _mm512_max_ps(a, b); }
  };
  struct Sum {
    static Float of(Float a, Float b) {
      return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
    }
  };
  /// Lanes 0..3 and 8..11 of the result are what becomes of the 8 registers; each step halves them.
  template <class F>
  [[gnu::always_inline]] static Float fold(const Float (&a)[8]) {
    Float four[4], two[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      four[i] = F::of(_mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      two[i] = F::of(_mm512_shuffle_ps(four[2 * i], four[2 * i + 1], 0x44),
                     _mm512_shuffle_ps(four[2 * i], four[2 * i + 1], 0xEE));
    }
    const Float one =
        F::of(_mm512_shuffle_f32x4(two[0], two[1], 0x88), _mm512_shuffle_f32x4(two[0], two[1], 0xDD));
    return F::of(one, _mm512_shuffle_f32x4(one, one, 0xB1));
  }
  static void store_lanes(Float a, void* to) {
    auto* p = static_cast<float*>(to);
    _mm_storeu_ps(p, _mm512_castps512_ps128(a));
    _mm_storeu_ps(p + 4, _mm512_extractf32x4_ps(a, 2));
  }
};

#ifdef __AVX512VNNI__
/// The same with vpdpbusd and vpdpwssd.
struct LanesAvx512Vnni : LanesAvx512 {
  static constexpr bool kBytes = true;
  static constexpr int kBytesBegin[4] = {0, 8, 2, 10}, kBytesOrder[4] = {0, 1, 4, 5};

  static Int dot_pairs(Int sum, Int a, Int b) { return _mm512_dpwssd_epi32(sum, a, b); }
  /// sum + Σ a·b of quads of bytes, a unsigned, b signed.
  static Int dot_quads(Int sum, Int a, Int b) { return _mm512_dpbusd_epi32(sum, a, b); }
  /// The low bytes of 64 floats, in the order above.
  static Int pack_bytes(const Float (&w)[4]) {
    return _mm512_packus_epi16(pack_words(w[0], w[1]), pack_words(w[2], w[3]));
  }
};
#endif

}  // namespace nybble::kernels
