// Rows of codes of 8 bits such that vpmaddubsw multiplies them with bytes of any weight without saturating.
//
// It adds u0·s0 + u1·s1 in 16 bits, u unsigned. Let u = w + 128 of a weight w, and s = q - c of a code q. As
// u is at most 255, nothing saturates while |s0 + s1| of two neighbours of one sign is at most 128: of two
// signs |s| ≤ 127 does. Most codes of a row lie near its zero point, so that with c near that few pairs are
// larger: 1 to 10 of a hundred quads hold one. Such a quad is cut to -64..64, and what is cut off it is an
// extra quad of its own, which is multiplied by itself. With Σ q·w = Σ s·u - 128·Σ s + c·Σ w the sum stays
// exact whatever c is.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/x86/panel.h"

namespace nybble::kernels::avx2 {

/// What was cut off a quad, or a part of it.
struct ExtraQuad {
  std::int32_t codes;  ///< four signed bytes
  std::int32_t quad;   ///< of K
};

/// c of a block of a row. It is the zero point where that lies in the middle. Near an end (after GELU) all
/// other codes lie on one side of it: 65 and 191 are as far from it as leaves a pair of the outermost codes
/// at 128.
inline int centre_of(int zero) { return zero < 65 ? 65 : zero > 191 ? 191 : zero; }

/// A bit for each of the 8 quads of 32 codes that must be cut. `codes` is q - c, saturated.
inline unsigned quads_to_cut(__m256i codes) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
  const __m256i large = _mm256_cmpgt_epi16(_mm256_abs_epi16(pairs), _mm256_set1_epi16(128));
  const __m256i most = _mm256_cmpeq_epi8(codes, _mm256_set1_epi8(127));
  const __m256i least = _mm256_cmpeq_epi8(codes, _mm256_set1_epi8(-128));
  const __m256i any = _mm256_or_si256(large, _mm256_or_si256(most, least));
  const __m256i none = _mm256_cmpeq_epi32(any, _mm256_setzero_si256());
  return 0xFF ^ static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(none)));
}

/// Whether the four 16-bit numbers can be multiplied at once; none is beyond ±127.
inline bool fits(__m128i four) {
  const __m128i pairs = _mm_abs_epi32(_mm_madd_epi16(four, _mm_set1_epi16(1)));
  return _mm_cvtsi128_si64(_mm_cmpgt_epi32(pairs, _mm_set1_epi32(128))) == 0;
}

/// Cuts the quad of codes q at `q` in `codes`; gives how many extra quads it wrote, one or two: what is cut
/// off is at most 191 - 64.
inline int cut_quad(const std::uint8_t* q, int centre, int quad, std::uint8_t* codes, ExtraQuad* extras) {
  const __m128i most = _mm_set1_epi16(64), least = _mm_set1_epi16(-64);
  const auto cut = [&](__m128i four) { return _mm_min_epi16(_mm_max_epi16(four, least), most); };
  const auto bytes = [](__m128i four) { return _mm_cvtsi128_si32(_mm_packs_epi16(four, four)); };
  const __m128i four = _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_quad(q))),
                                     _mm_set1_epi16(static_cast<short>(centre)));
  const __m128i stays = cut(four), rest = _mm_sub_epi16(four, stays);
  const std::int32_t staying = bytes(stays);
  std::memcpy(codes, &staying, sizeof staying);
  if (fits(rest)) {
    extras[0] = {bytes(rest), quad};
    return 1;
  }
  const __m128i part = cut(rest);
  extras[0] = {bytes(part), quad};
  extras[1] = {bytes(_mm_sub_epi16(rest, part)), quad};
  return 2;
}

/// One block of a row: `count` codes, a multiple of 64, from quad `quad` of K on, to `codes`. Gives how many
/// extra quads it wrote, or -1 where they would be more than `room`.
inline int centre_codes(const std::uint8_t* q, int count, int centre, int quad, std::uint8_t* codes,
                        ExtraQuad* extras, int room) {
  const __m256i sign = _mm256_set1_epi8(-128), shift = _mm256_set1_epi8(static_cast<char>(centre - 128));
  int extra = 0;
  for (int k = 0; k < count; k += 64) {
    unsigned long long cut = 0;
    for (int part = 0; part < 2; ++part) {
      const std::uint8_t* at = q + k + part * 32;
      const __m256i moved = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), sign);
      const __m256i value = _mm256_subs_epi8(moved, shift);
      _mm256_store_si256(reinterpret_cast<__m256i*>(codes + k + part * 32), value);
      cut |= quads_to_cut(value) << (part * 8);
    }
    for (; cut != 0; cut &= cut - 1) {
      if (extra + 2 > room) return -1;
      const int at = k + __builtin_ctzll(cut) * 4;
      extra += cut_quad(q + at, centre, quad + at / 4, codes + at, extras + extra);
    }
  }
  return extra;
}

}  // namespace nybble::kernels::avx2
