// Sixteen floats in one zmm register.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace nybble::kernels {

/// The vector type of the portable kernels: every operation rounds as the
/// scalar one does, and a reduction adds in the one order of docs/numerics.md.
struct F32x16Avx512 {
  __m512 v;
  using V = F32x16Avx512;
  using Mask = __mmask16;
  static constexpr int kRegisterFactor = 4;  ///< how many V a tile keeps side by side: 32 registers, one a V
  static constexpr int kRowsOfExp = 6;       ///< rows whose exp runs side by side in its registers
  static constexpr int kRowsTogether = 4;    ///< rows that LayerNorm and quantization pass side by side

  static V set(float x) { return {_mm512_set1_ps(x)}; }
  static V canonical_nan() { return {_mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000))}; }
  static V load(const float* p) { return {_mm512_loadu_ps(p)}; }
  /// n < 16 values, 0 beyond; reads nothing beyond.
  static V load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  /// p[0], p[0], p[1], p[1] and so on: n ≤ 8 values twice, 0 beyond; reads nothing beyond.
  static V load_twice(const float* p, int n) {
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return {_mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(first(n), p))};
  }
  /// Lanes 2i and 2i + 1 change places.
  static V swap_pairs(V a) { return {_mm512_permute_ps(a.v, 0xB1)}; }
  /// Lane i: the lane columns[i] - first of a; anything where there is none.
  static V pick(V a, const std::int32_t* columns, std::int32_t first) {
    const __m512i lanes = _mm512_sub_epi32(_mm512_loadu_si512(columns), _mm512_set1_epi32(first));
    return {_mm512_permutexvar_ps(lanes, a.v)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_first(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  static V abs(V a) { return {_mm512_abs_ps(a.v)}; }
  static V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }  // a > b ? a : b
  static V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }  // a < b ? a : b
  /// The greater and lesser of the bits, taken as integers: 4 a cycle on Zen 5, where max and min do 2.
  static V max_signed(V a, V b) { return integers(_mm512_max_epi32(bits(a), bits(b))); }
  static V max_unsigned(V a, V b) { return integers(_mm512_max_epu32(bits(a), bits(b))); }
  static V min_unsigned(V a, V b) { return integers(_mm512_min_epu32(bits(a), bits(b))); }
  static V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static V fnma(V a, V b, V c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  static V round(V a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  static float round_one(float x) {
    return _mm_cvtss_f32(_mm_round_ps(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT));
  }
  static Mask is_nan(V a) { return _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q); }
  static Mask less(V a, V b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
  static V select(Mask mask, V yes, V no) { return {_mm512_mask_mov_ps(no.v, mask, yes.v)}; }
  static V zero_where(Mask mask, V a) { return {_mm512_maskz_mov_ps(static_cast<Mask>(~mask), a.v)}; }
  static V add_to_exponent(V a, V shifted) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted.v), 23);
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), exponent))};
  }
  static V lookup8(const float* table, V shifted) {
    const __m512 both = _mm512_broadcast_f32x8(_mm256_loadu_ps(table));
    return {_mm512_permutexvar_ps(_mm512_castps_si512(shifted.v), both)};
  }

  /// The 16 lanes' sum by halves: j + (j + 8), then 4, 2, 1.
  static float sum(V a) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
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
  static std::int32_t largest_signed(V a) { return _mm512_reduce_max_epi32(bits(a)); }
  static std::uint32_t largest_unsigned(V a) { return _mm512_reduce_max_epu32(bits(a)); }
  static float largest(V a) { return _mm512_reduce_max_ps(a.v); }

  static V from_s8(__m128i bytes) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))}; }
  static V load_s8(const std::int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
  }
  static V load_s8_first(const std::int8_t* p, int n) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first(n), p)))};
  }
  /// rint(a) as bytes; a within [-128.5, 127.5).
  static __m128i to_s8(V a) { return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)); }
  /// max(1, min(255, rint(a))) as bytes; a within the range of int32.
  static __m128i to_codes(V a) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(_mm512_cvtps_epi32(a.v), _mm512_set1_epi32(1)));
  }
  /// to_codes of 64 values, to 64 bytes.
  static void store_codes(const V (&a)[4], std::uint8_t* p) {
    const __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(a[0].v), _mm512_cvtps_epi32(a[1].v));
    const __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(a[2].v), _mm512_cvtps_epi32(a[3].v));
    // The packs work inside each 128-bit part: four bytes of each vector stand in each.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i codes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
    _mm512_storeu_si512(p, _mm512_max_epu8(codes, _mm512_set1_epi8(1)));
  }
  static void store_first_bytes(__m128i bytes, std::uint8_t* p, int n) {
    _mm_mask_storeu_epi8(p, first(n), bytes);
  }

  /// max(|a|, |b|), a being a magnitude, by bits: infinity is above all numbers, NaN above infinity.
  static V max_magnitude(V a, V b) {
    const __m512i magnitude = _mm512_castps_si512(_mm512_abs_ps(b.v));
    return {_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a.v), magnitude))};
  }
  /// The low 16 bits of a and b side by side: 16 pairs.
  static void store_pairs(V a, V b, void* p) {
    const __m512i high = _mm512_slli_epi32(_mm512_castps_si512(b.v), 16);
    _mm512_storeu_si512(p, _mm512_mask_mov_epi16(high, 0x55555555, _mm512_castps_si512(a.v)));
  }
  /// The low 8 bits of a, b, c and d side by side: 16 quads.
  static void store_quads(V a, V b, V c, V d, void* p) {
    const __m512i second = _mm512_slli_epi32(_mm512_castps_si512(b.v), 8),
                  third = _mm512_slli_epi32(_mm512_castps_si512(c.v), 16),
                  fourth = _mm512_slli_epi32(_mm512_castps_si512(d.v), 24);
    // 0xCA: where the mask has a bit the second operand, else the third.
    __m512i quads =
        _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xFF), _mm512_castps_si512(a.v), second, 0xCA);
    quads = _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xFFFF), quads, third, 0xCA);
    quads = _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xFFFFFF), quads, fourth, 0xCA);
    _mm512_storeu_si512(p, quads);
  }

  /// Transposes rows[i][j] to columns: on return rows[j] holds what stood in lane j of each row.
  static void transpose(V (&rows)[16]);

  friend V operator+(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend V operator-(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend V operator*(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend V operator/(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }

 private:
  static __m512i bits(V a) { return _mm512_castps_si512(a.v); }
  static V exclusive_or(V a, V b) { return {_mm512_xor_ps(a.v, b.v)}; }
  static V upper_half(V a) { return {_mm512_shuffle_f32x4(a.v, a.v, 0xEE)}; }
  static V integers(__m512i a) { return {_mm512_castsi512_ps(a)}; }
  /// Each step halves the rows: of two, the greater of halves that stand side by side in one register.
  [[gnu::always_inline]] static V largest_of(const V (&rows)[16]) {
    __m512i a[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) a[i] = bits(rows[i]);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      a[i] = _mm512_max_epi32(_mm512_shuffle_i32x4(a[i], a[i + 8], 0x44),
                              _mm512_shuffle_i32x4(a[i], a[i + 8], 0xEE));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      a[i] = _mm512_max_epi32(_mm512_shuffle_i32x4(a[i], a[i + 4], 0x88),
                              _mm512_shuffle_i32x4(a[i], a[i + 4], 0xDD));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      a[i] = _mm512_max_epi32(_mm512_unpacklo_epi32(a[i], a[i + 2]), _mm512_unpackhi_epi32(a[i], a[i + 2]));
    }
    const __m512i all =
        _mm512_max_epi32(_mm512_unpacklo_epi64(a[0], a[1]), _mm512_unpackhi_epi64(a[0], a[1]));
    // The 128-bit parts hold rows 0.., 8.., 4.., 12.., each of them its rows 0, 2, 1, 3.
    const __m512i order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
    return integers(_mm512_permutexvar_epi32(order, all));
  }
  static Mask first(int n) { return static_cast<Mask>((1U << n) - 1); }
};

inline void F32x16Avx512::transpose(V (&rows)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) {  // 4×4 blocks inside each 128-bit part
    const __m512 a = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v),
                 b = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
    const __m512 c = _mm512_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
    const __m512 d = _mm512_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
    t[i] = _mm512_shuffle_ps(a, c, 0x44), t[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44), t[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
  }
  for (int j = 0; j < 4; ++j) {  // then the 128-bit parts themselves
    const __m512 a = _mm512_shuffle_f32x4(t[j], t[4 + j], 0x88),
                 b = _mm512_shuffle_f32x4(t[j], t[4 + j], 0xDD);
    const __m512 c = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0xDD);
    rows[j].v = _mm512_shuffle_f32x4(a, c, 0x88), rows[8 + j].v = _mm512_shuffle_f32x4(a, c, 0xDD);
    rows[4 + j].v = _mm512_shuffle_f32x4(b, d, 0x88), rows[12 + j].v = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
}

}  // namespace nybble::kernels
