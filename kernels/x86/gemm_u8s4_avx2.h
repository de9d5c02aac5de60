#pragma once
#include "kernels/x86/pairs_avx2.h"
namespace nybble::kernels::avx2 {

struct NibbleWeights {
  static constexpr int kTileRows = 6;
  static constexpr int kBits = 4;
  static constexpr int kReadBytes = 1;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : 2; }
};

/// Two quads of a tile.
template <class Core, bool First, int Rows, int Vectors>
[[gnu::always_inline]] inline void gather_two(const std::uint8_t* a, std::ptrdiff_t stride,
                                              const std::int8_t* b, __m256i (&pairs)[Rows][Vectors]) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i weights[Vectors];
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) weights[v] = Core::weight(_mm256_and_si256(ymm::load(b + v * 32), low));
  Core::template gather<First>(a, stride, weights, pairs);
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v)
    weights[v] = Core::weight(_mm256_and_si256(_mm256_srli_epi16(ymm::load(b + v * 32), 4), low));
  Core::template gather<false>(a + 4, stride, weights, pairs);
}

template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_eights(const Codes& codes, const std::int8_t* b,
                                                   std::ptrdiff_t stride, int quads,
                                                   __m256i (&sum)[Rows][Vectors]) {
  alignas(32) __m256i total[Rows * Vectors];
  const std::uint8_t* a = codes.a;
  clear(sum);
  flush(sum, true, total);
  for (int eight = quads / 8; eight > 0; --eight, a += 32, b += stride * 4) {
    __m256i pairs[Rows][Vectors];
    gather_two<Core, true>(a, codes.stride, b, pairs);
    gather_two<Core, false>(a + 8, codes.stride, b + stride, pairs);
    gather_two<Core, false>(a + 16, codes.stride, b + stride * 2, pairs);
    gather_two<Core, false>(a + 24, codes.stride, b + stride * 3, pairs);
    flush(pairs, false, total);
  }
  take(total, sum);
}

/// Per channel the weights' codes are the unsigned side (0..15, as they come) and the rows' codes, less 128,
/// the signed one: 15 · 128 · 2 · 8 = 30,720. Rows are changed by one XOR when they are prepared.
struct UnsignedNibbles : NibbleWeights {
  static constexpr int kRowBits = 8, kCodeBytes = 1;
  static constexpr int kMiddle = 8, kShift = 128, kGroupShift = 0;
  static void prepare(const std::uint8_t* a, int count, std::uint8_t* codes) {
    for (int k = 0; k < count; k += 32) {
      const __m256i moved = _mm256_xor_si256(ymm::load(a + k), _mm256_set1_epi8(-128));
      _mm256_store_si256(reinterpret_cast<__m256i*>(codes + k), moved);
    }
  }
  static float sum(const std::uint8_t* codes, int count) {
    float s = 0;
    int t = 0;
    for (int k = 0; k < count; ++k) t += static_cast<std::int8_t>(codes[k]);
    s = static_cast<float>(t);
    return s;
  }
  static __m256i weight(__m256i code) { return code; }
  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                            const __m256i (&weights)[Vectors],
                                            __m256i (&pairs)[Rows][Vectors]) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i q = ymm::broadcast_quad(a + r * stride);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        const __m256i pair = _mm256_maddubs_epi16(weights[v], q);
        pairs[r][v] = First ? pair : _mm256_add_epi16(pairs[r][v], pair);
        pin(pairs[r][v]);
      }
    }
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes& codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, __m256i (&sum)[Rows][Vectors]) {
    multiply_eights<UnsignedNibbles>(codes, b, stride, quads, sum);
  }
};

/// In groups the rows' codes stay unsigned and the weights' codes lose 8: 255 · 8 · 2 · 8 = 32,640.
struct SignedNibbles : NibbleWeights {
  static constexpr int kRowBits = 8, kCodeBytes = 0;
  static constexpr int kMiddle = 0, kShift = 0, kGroupShift = 8;
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }
  static __m256i weight(__m256i code) { return _mm256_sub_epi8(code, _mm256_set1_epi8(8)); }
  template <bool First, int Rows, int Vectors>
  [[gnu::always_inline]] static void gather(const std::uint8_t* a, std::ptrdiff_t stride,
                                            const __m256i (&weights)[Vectors],
                                            __m256i (&pairs)[Rows][Vectors]) {
    avx2::gather<First>(a, stride, weights, pairs);
  }
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes& codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, __m256i (&sum)[Rows][Vectors]) {
    multiply_eights<SignedNibbles>(codes, b, stride, quads, sum);
  }
};

inline void gemm_u8s4(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<UnsignedNibbles, false>(args);
  ymm::gemm<SignedNibbles, true>(args);
}

}  // namespace nybble::kernels::avx2
