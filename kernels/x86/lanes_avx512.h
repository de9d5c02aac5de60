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
  static constexpr int kVectors = 4;  ///< that a tile of six rows keeps side by side: 24 sums of 32 registers
  static constexpr bool kBytes = false;  ///< no exact product of bytes

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
  static float largest(Float a) { return _mm512_reduce_max_ps(a); }
  static Float to_float(Int a) { return _mm512_cvtepi32_ps(a); }
  static std::int64_t sum(Int a) { return static_cast<std::uint32_t>(_mm512_reduce_add_epi32(a)); }

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

  /// rint(2^n · Σ c[j]·(z - n)^j), n = rint(z), for z ≤ 0; 0 for -infinity, where vreduceps gives +0 and
  /// vscalefps 0. z - n is exact, so vreduceps has nothing to round: with another mode than to nearest it
  /// would round in that mode.
  template <int N>
  static Int weights(const float (&c)[N], Float z) {
    const Float r = _mm512_reduce_ps(z, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), n = subtract(z, r);
    Float p = set(c[N - 1]);
#pragma GCC unroll 8
    for (int j = N - 2; j >= 0; --j) p = fma(p, r, set(c[j]));
    return _mm512_cvtps_epi32(_mm512_scalef_ps(p, n));
  }

  /// 32 weights as 16 bits.
  static void store_words(Int a, Int b, Int flip, void* p) {
    const Int order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const Int words = _mm512_xor_si512(_mm512_packus_epi32(a, b), flip);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, words));
  }
  /// 64 weights as bytes.
  static void store_bytes(const Int (&w)[4], void* p) {
    const Int order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const Int bytes = _mm512_packus_epi16(_mm512_packs_epi32(w[0], w[1]), _mm512_packs_epi32(w[2], w[3]));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
  }
  /// 16 weights.
  static void store_16_words(const Int (&w)[1], Int flip, void* p) {
    const __m256i words = _mm512_cvtusepi32_epi16(w[0]);
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm256_xor_si256(words, _mm512_castsi512_si256(flip)));
  }
  static void store_16_bytes(const Int (&w)[1], void* p) {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(w[0]));
  }

 private:
  static __m512d total_of(__m256i sum, const double* partial, __m256i offset) {
    const __m512d known = _mm512_add_pd(_mm512_cvtepi32_pd(sum), _mm512_loadu_pd(partial));
    return _mm512_fmadd_pd(_mm512_cvtepi32_pd(offset), _mm512_set1_pd(32768), known);
  }
};

#ifdef __AVX512VNNI__
/// The same with vpdpbusd and vpdpwssd.
struct LanesAvx512Vnni : LanesAvx512 {
  static constexpr bool kBytes = true;

  static Int dot_pairs(Int sum, Int a, Int b) { return _mm512_dpwssd_epi32(sum, a, b); }
  /// sum + Σ a·b of quads of bytes, a unsigned, b signed.
  static Int dot_quads(Int sum, Int a, Int b) { return _mm512_dpbusd_epi32(sum, a, b); }
};
#endif

}  // namespace nybble::kernels
