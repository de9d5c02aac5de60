// Sixteen floats in two ymm registers.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nybble::kernels {

/// As F32x16Avx512: the same operations, lanes and order of addition.
struct F32x16Avx2 {
  __m256 low, high;
  using V = F32x16Avx2;
  struct Mask {
    __m256 low, high;
  };
  static constexpr int kRegisterFactor = 1;  ///< how many V a tile keeps side by side: 16 registers, two a V
  static constexpr int kRowsOfExp = 2;       ///< rows whose exp runs side by side in its registers
  static constexpr int kRowsTogether = 2;    ///< rows that LayerNorm and quantization pass side by side

  static V set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static V canonical_nan() {
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
    return {nan, nan};
  }
  static V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  /// n < 16 values, 0 beyond; reads nothing beyond.
  static V load_first(const float* p, int n) {
    return {_mm256_maskload_ps(p, first(n)), _mm256_maskload_ps(p + 8, first(n - 8))};
  }
  /// p[0], p[0], p[1], p[1] and so on: n ≤ 8 values twice, 0 beyond; reads nothing beyond.
  static V load_twice(const float* p, int n) {
    const __m256 values = _mm256_maskload_ps(p, first(n));
    return {_mm256_permutevar8x32_ps(values, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
            _mm256_permutevar8x32_ps(values, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
  }
  /// Lanes 2i and 2i + 1 change places.
  static V swap_pairs(V a) { return {_mm256_permute_ps(a.low, 0xB1), _mm256_permute_ps(a.high, 0xB1)}; }
  /// Lane i: the lane columns[i] - first of a; anything where there is none.
  static V pick(V a, const std::int32_t* columns, std::int32_t first) {
    return {pick8(a, columns, first), pick8(a, columns + 8, first)};
  }
  void store(float* p) const { _mm256_storeu_ps(p, low), _mm256_storeu_ps(p + 8, high); }
  void store_first(float* p, int n) const {
    _mm256_maskstore_ps(p, first(n), low), _mm256_maskstore_ps(p + 8, first(n - 8), high);
  }

  static V abs(V a) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
  }
  static V max(V a, V b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
  static V min(V a, V b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
  /// The greater and lesser of the bits, taken as integers.
  static V max_signed(V a, V b) {
    return integers(_mm256_max_epi32(low_bits(a), low_bits(b)), _mm256_max_epi32(high_bits(a), high_bits(b)));
  }
  static V max_unsigned(V a, V b) {
    return integers(_mm256_max_epu32(low_bits(a), low_bits(b)), _mm256_max_epu32(high_bits(a), high_bits(b)));
  }
  static V min_unsigned(V a, V b) {
    return integers(_mm256_min_epu32(low_bits(a), low_bits(b)), _mm256_min_epu32(high_bits(a), high_bits(b)));
  }
  static V fma(V a, V b, V c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static V fnma(V a, V b, V c) {
    return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
  }
  static V round(V a) {
    constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.low, kMode), _mm256_round_ps(a.high, kMode)};
  }
  static float round_one(float x) {
    return _mm_cvtss_f32(_mm_round_ps(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT));
  }
  static Mask is_nan(V a) {
    return {_mm256_cmp_ps(a.low, a.low, _CMP_UNORD_Q), _mm256_cmp_ps(a.high, a.high, _CMP_UNORD_Q)};
  }
  static Mask less(V a, V b) {
    return {_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
  }
  static V select(Mask mask, V yes, V no) {
    return {_mm256_blendv_ps(no.low, yes.low, mask.low), _mm256_blendv_ps(no.high, yes.high, mask.high)};
  }
  static V zero_where(Mask mask, V a) {
    return {_mm256_andnot_ps(mask.low, a.low), _mm256_andnot_ps(mask.high, a.high)};
  }
  static V add_to_exponent(V a, V shifted) {
    return {add_to_exponent(a.low, shifted.low), add_to_exponent(a.high, shifted.high)};
  }
  static V lookup8(const float* table, V shifted) {
    const __m256 values = _mm256_loadu_ps(table);
    return {_mm256_permutevar8x32_ps(values, _mm256_castps_si256(shifted.low)),
            _mm256_permutevar8x32_ps(values, _mm256_castps_si256(shifted.high))};
  }

  /// The 16 lanes' sum by halves: j + (j + 8), then 4, 2, 1.
  static float sum(V a) {
    const __m256 half = _mm256_add_ps(a.low, a.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float largest(V a) {
    const __m256 half = _mm256_max_ps(a.low, a.high);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  /// Lane i < 8 of `signed_rows` becomes the greatest lane of row i, its bits taken as signed integers, and
  /// of `unsigned_rows` as unsigned ones; the other lanes hold anything. One tree of 31 maxima for all of
  /// them.
  static void largest_of(const V (&signed_rows)[8], const V (&unsigned_rows)[8], V& largest_signed,
                         V& largest_unsigned) {
    const V sign = set(-0.0F);  // turned, it makes signed integers of unsigned ones
    V rows[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) rows[i] = signed_rows[i], rows[i + 8] = exclusive_or(unsigned_rows[i], sign);
    largest_signed = largest_of(rows);
    largest_unsigned = exclusive_or(upper_half(largest_signed), sign);
  }
  static std::int32_t largest_signed(V a) {
    const __m256i half = _mm256_max_epi32(low_bits(a), high_bits(a));
    const __m128i four = _mm_max_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  static std::uint32_t largest_unsigned(V a) {
    const __m256i half = _mm256_max_epu32(low_bits(a), high_bits(a));
    const __m128i four = _mm_max_epu32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4E));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(two, _mm_shuffle_epi32(two, 0xB1))));
  }

  static V from_s8(__m128i bytes) {
    const __m128i high = _mm_unpackhi_epi64(bytes, bytes);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high))};
  }
  static V load_s8(const std::int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  static V load_s8_first(const std::int8_t* p, int n) {
    std::int8_t all[16] = {};
    for (int i = 0; i < n; ++i) all[i] = p[i];
    return load_s8(all);
  }
  /// rint(a) as bytes; a within [-128.5, 127.5).
  static __m128i to_s8(V a) {
    const __m128i low = to_s16(a.low), high = to_s16(a.high);
    return _mm_packs_epi16(low, high);
  }
  /// max(1, min(255, rint(a))) as bytes; a within the range of int16.
  static __m128i to_codes(V a) {
    return _mm_max_epu8(_mm_packus_epi16(to_s16(a.low), to_s16(a.high)), _mm_set1_epi8(1));
  }
  /// to_codes of 64 values, to 64 bytes.
  static void store_codes(const V (&a)[4], std::uint8_t* p) {
    for (int i = 0; i < 4; i += 2) {
      const __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a[i].low), _mm256_cvtps_epi32(a[i].high));
      const __m256i high =
          _mm256_packs_epi32(_mm256_cvtps_epi32(a[i + 1].low), _mm256_cvtps_epi32(a[i + 1].high));
      // The packs work inside each 128-bit part: four bytes of each half vector stand in each.
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      const __m256i codes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + i * 16),
                          _mm256_max_epu8(codes, _mm256_set1_epi8(1)));
    }
  }
  static void store_first_bytes(__m128i bytes, std::uint8_t* p, int n) {
    std::uint8_t all[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(all), bytes);
    for (int i = 0; i < n; ++i) p[i] = all[i];
  }

  /// max(|a|, |b|), a being a magnitude, by bits: infinity is above all numbers, NaN above infinity.
  static V max_magnitude(V a, V b) {
    const V magnitude = abs(b);
    return {max_bits(a.low, magnitude.low), max_bits(a.high, magnitude.high)};
  }
  /// The low 16 bits of a and b side by side: 16 pairs.
  static void store_pairs(V a, V b, void* p) {
    auto* to = static_cast<__m256i*>(p);
    _mm256_storeu_si256(to, pairs(a.low, b.low)), _mm256_storeu_si256(to + 1, pairs(a.high, b.high));
  }
  /// The low 8 bits of a, b, c and d side by side: 16 quads.
  static void store_quads(V a, V b, V c, V d, void* p) {
    auto* to = static_cast<__m256i*>(p);
    _mm256_storeu_si256(to, quads(a.low, b.low, c.low, d.low));
    _mm256_storeu_si256(to + 1, quads(a.high, b.high, c.high, d.high));
  }

  /// Transposes rows[i][j] to columns: on return rows[j] holds what stood in lane j of each row.
  static void transpose(V (&rows)[16]);

  friend V operator+(V a, V b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  friend V operator-(V a, V b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
  friend V operator*(V a, V b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  friend V operator/(V a, V b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }

 private:
  static __m256i low_bits(V a) { return _mm256_castps_si256(a.low); }
  static __m256i high_bits(V a) { return _mm256_castps_si256(a.high); }
  static V exclusive_or(V a, V b) { return {_mm256_xor_ps(a.low, b.low), _mm256_xor_ps(a.high, b.high)}; }
  static V upper_half(V a) { return {a.high, a.high}; }
  static V integers(__m256i low, __m256i high) {
    return {_mm256_castsi256_ps(low), _mm256_castsi256_ps(high)};
  }
  static __m256 max_bits(__m256 a, __m256 b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  static __m256i pairs(__m256 a, __m256 b) {
    const __m256i high = _mm256_slli_epi32(_mm256_castps_si256(b), 16);
    return _mm256_blend_epi16(_mm256_castps_si256(a), high, 0xAA);
  }
  /// The low 8 bits of a and b in the low 16 bits.
  static __m256i byte_pairs(__m256 a, __m256 b) {
    const __m256i low = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0xFF));
    return _mm256_or_si256(low, _mm256_slli_epi32(_mm256_castps_si256(b), 8));
  }
  static __m256i quads(__m256 a, __m256 b, __m256 c, __m256 d) {
    return _mm256_blend_epi16(byte_pairs(a, b), _mm256_slli_epi32(byte_pairs(c, d), 16), 0xAA);
  }
  /// Each step halves the rows: of two, the greater of halves that stand side by side in one register.
  [[gnu::always_inline]] static V largest_of(const V (&rows)[16]) {
    __m256i a[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const __m256i first = _mm256_max_epi32(low_bits(rows[i]), high_bits(rows[i]));
      const __m256i second = _mm256_max_epi32(low_bits(rows[i + 8]), high_bits(rows[i + 8]));
      a[i] = _mm256_max_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                              _mm256_permute2x128_si256(first, second, 0x31));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      a[i] = _mm256_max_epi32(_mm256_unpacklo_epi32(a[i], a[i + 4]), _mm256_unpackhi_epi32(a[i], a[i + 4]));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      a[i] = _mm256_max_epi32(_mm256_unpacklo_epi64(a[i], a[i + 2]), _mm256_unpackhi_epi64(a[i], a[i + 2]));
    }
    // a[0] holds rows 0, 4, 2, 6 and the same + 8; a[1] those after them.
    const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7);
    return integers(_mm256_permutevar8x32_epi32(_mm256_permute2x128_si256(a[0], a[1], 0x20), order),
                    _mm256_permutevar8x32_epi32(_mm256_permute2x128_si256(a[0], a[1], 0x31), order));
  }
  static __m256 pick8(V a, const std::int32_t* columns, std::int32_t first) {
    const __m256i lanes = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(columns)),
                                           _mm256_set1_epi32(first));
    const __m256 is_high = _mm256_castsi256_ps(_mm256_slli_epi32(lanes, 28));  // bit 3 as the sign
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(a.low, lanes), _mm256_permutevar8x32_ps(a.high, lanes),
                            is_high);
  }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static __m256 add_to_exponent(__m256 a, __m256 shifted) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), exponent));
  }
  static __m128i to_s16(__m256 a) {
    const __m256i whole = _mm256_cvtps_epi32(a);
    return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  }
  static void transpose8(__m256 (&rows)[8]);
};

inline void F32x16Avx2::transpose8(__m256 (&rows)[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(rows[i], rows[i + 1]), b = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    const __m256 c = _mm256_unpacklo_ps(rows[i + 2], rows[i + 3]),
                 d = _mm256_unpackhi_ps(rows[i + 2], rows[i + 3]);
    t[i] = _mm256_shuffle_ps(a, c, 0x44), t[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44), t[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
  }
  for (int j = 0; j < 4; ++j) {
    rows[j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x20);
    rows[4 + j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x31);
  }
}

inline void F32x16Avx2::transpose(V (&rows)[16]) {
  __m256 a[8], b[8], c[8], d[8];  // the four quarters
  for (int i = 0; i < 8; ++i) {
    a[i] = rows[i].low, b[i] = rows[i].high, c[i] = rows[8 + i].low, d[i] = rows[8 + i].high;
  }
  transpose8(a), transpose8(b), transpose8(c), transpose8(d);
  for (int i = 0; i < 8; ++i) rows[i] = {a[i], c[i]}, rows[8 + i] = {b[i], d[i]};
}

}  // namespace nybble::kernels
