// Loading what a tile multiplies, for every set with AVX-512: quads of rows, weights as signed bytes.
#pragma once

#include "kernels/x86/tile_avx512.h"

namespace nybble::kernels::avx512 {

/// Rows of a tile in threes, so that 14 addresses take 5 registers: row r is at[r / 3] + (r % 3) · lda.
template <int Rows>
struct RowAddresses {
  const std::uint8_t* at[(Rows + 2) / 3];

  [[gnu::always_inline]] RowAddresses(const std::uint8_t* a, std::ptrdiff_t lda) {
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) at[i] = a + 3 * i * lda;
  }
  [[gnu::always_inline]] void advance(int bytes) {
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) {
      at[i] += bytes;
      __asm__ volatile("" : "+r"(at[i]));  // or g++ keeps 14 addresses, most of them in memory
    }
  }
  [[gnu::always_inline]] __m512i quad(int r, std::ptrdiff_t lda, int offset) const {
    return _mm512_set1_epi32(load_quad(at[r / 3] + (r % 3) * lda + offset));
  }
};

/// How far ahead of their use weights are fetched into L1, in bytes: 8 quads of a panel, a hundred cycles.
/// Takes 1 to 3 points of the peak off the misses of the first rows.
inline constexpr std::ptrdiff_t kAhead = 2048;

/// Fetches what is needed soon into L1. Where weights only run past once (few rows, strips of 64 columns),
/// from further ahead.
template <bool Stream>
[[gnu::always_inline]] inline void fetch(const std::byte* b) {
  _mm_prefetch(reinterpret_cast<const char*>(b + (Stream ? kStreamAhead : kAhead)), _MM_HINT_T0);
}

/// What a pass fetches of the next panel, into L2: one line a pair of quads, or `Most`, or nothing.
template <int Most>
struct FarWeights {
  const std::byte* at;
  std::ptrdiff_t step;

  [[gnu::always_inline]] FarWeights(const Strip& strip, int pair)
      : at(strip.far + pair * strip.far_step), step(strip.far_step) {}
  [[gnu::always_inline]] void fetch() {
    if (step == 0) return;
    _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T1);
    if (Most > 1 && step > 64) {
#pragma GCC unroll 8
      for (int i = 1; i < Most; ++i) _mm_prefetch(reinterpret_cast<const char*>(at + i * 64), _MM_HINT_T1);
    }
    at += step;
  }
};

/// Bytes each, as they stand, for tiles of 64 columns that pass several times over a panel.
struct SharedWeights {
  std::ptrdiff_t stride;
  mutable FarWeights<kSharedLines> far;

  [[gnu::always_inline]] SharedWeights(const Strip& strip, int pair)
      : stride(strip.stride), far(strip, pair) {}
  [[gnu::always_inline]] void load(const std::byte* b, __m512i (&weights)[4]) const {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      _mm_prefetch(reinterpret_cast<const char*>(b + j * 64 + kAhead), _MM_HINT_T0);
      weights[j] = _mm512_loadu_si512(b + j * 64);
      pin(weights[j]);
    }
  }
  [[gnu::always_inline]] void even(const std::byte* b, __m512i (&weights)[4]) const {
    far.fetch();
    load(b, weights);
  }
  [[gnu::always_inline]] void odd(const std::byte* b, __m512i (&weights)[4]) const {
    load(b + stride, weights);
  }
};

/// 16 zero codes, each for the four k of its column.
inline __m512i spread(const std::int8_t* zero) {
  const __m512i bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(zero)));
  return _mm512_shuffle_epi8(
      bytes, _mm512_set_epi32(0x0F0F0F0F, 0x0E0E0E0E, 0x0D0D0D0D, 0x0C0C0C0C, 0x0B0B0B0B, 0x0A0A0A0A,
                              0x09090909, 0x08080808, 0x07070707, 0x06060606, 0x05050505, 0x04040404,
                              0x03030303, 0x02020202, 0x01010101, 0));
}

/// Weights of a byte each, as they stand or, in groups, less the zero code of their column.
template <int Blocks, bool Grouped>
struct ByteWeights {
  static constexpr bool kStream = Blocks == 4;
  std::ptrdiff_t stride;
  mutable FarWeights<2 * Blocks> far;
  __m512i zero[Grouped ? Blocks : 1];

  [[gnu::always_inline]] ByteWeights(const std::int8_t* zeros, const Strip& strip, int pair)
      : stride(strip.stride), far(strip, pair) {
    if constexpr (Grouped) {
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j) zero[j] = spread(zeros + j * 16);
    }
  }
  [[gnu::always_inline]] void even(const std::byte* b, __m512i (&weights)[Blocks]) const {
    if constexpr (!kStream) far.fetch();
    load(b, weights);
  }
  [[gnu::always_inline]] void odd(const std::byte* b, __m512i (&weights)[Blocks]) const {
    load(b + stride, weights);
  }

 private:
  [[gnu::always_inline]] void load(const std::byte* b, __m512i (&weights)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      fetch<kStream>(b + j * 64);
      weights[j] = _mm512_loadu_si512(b + j * 64);
      if constexpr (Grouped) weights[j] = _mm512_sub_epi8(weights[j], zero[j]);
      pin(weights[j]);
    }
  }
};

/// Signed bytes, code - zero, of a pair of quads. The zero code is 8 per channel.
template <int Blocks>
struct NibbleWeights {
  static constexpr bool kStream = Blocks == 4;
  mutable FarWeights<Blocks> far;
  __m512i zero[Blocks];

  [[gnu::always_inline]] NibbleWeights(std::nullptr_t, const Strip& strip, int pair) : far(strip, pair) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) zero[j] = _mm512_set1_epi8(8);
  }
  [[gnu::always_inline]] NibbleWeights(const std::int8_t* zeros, const Strip& strip, int pair)
      : far(strip, pair) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) zero[j] = spread(zeros + j * 16);
  }
  [[gnu::always_inline]] __m512i code(__m512i nibbles, int j) const {
    return _mm512_sub_epi8(_mm512_and_si512(nibbles, _mm512_set1_epi8(15)), zero[j]);
  }
  [[gnu::always_inline]] void even(const std::byte* b, __m512i (&weights)[Blocks]) const {
    if constexpr (!kStream) far.fetch();
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      fetch<kStream>(b + j * 64);
      weights[j] = code(_mm512_loadu_si512(b + j * 64), j);
      pin(weights[j]);
    }
  }
  /// Loads the bytes again rather than keep them: load ports have time, registers are scarce.
  [[gnu::always_inline]] void odd(const std::byte* b, __m512i (&weights)[Blocks]) const {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      weights[j] = code(_mm512_srli_epi16(_mm512_loadu_si512(b + j * 64), 4), j);
      pin(weights[j]);
    }
  }
};

}  // namespace nybble::kernels::avx512
