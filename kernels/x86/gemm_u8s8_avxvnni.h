// Products of bytes by vpdpbusd on ymm in VEX encoding: tiles of up to 6 rows × 16 columns.
#pragma once

#include "kernels/x86/product_ymm.h"

namespace nybble::kernels::avxvnni {

/// sum += codes · weights in sum's own register: with the intrinsic g++ 12 changes it, at a move each.
[[gnu::always_inline]] inline void dpbusd(__m256i& sum, __m256i codes, __m256i weights) {
  __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "xm"(weights));
}

/// One quad, `Offset` bytes into the rows: sum += codes of each row · weights.
template <int Offset, int Rows, int Vectors, int Row = 0>
[[gnu::always_inline]] inline void add_quad(const std::uint8_t* row0, const std::uint8_t* row3,
                                            std::ptrdiff_t stride, const __m256i (&weights)[Vectors],
                                            __m256i (&sum)[Rows][Vectors]) {
  const __m256i q = ymm::broadcast_row<Row, Offset>(row0, row3, stride);
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) dpbusd(sum[Row][v], q, weights[v]);
  if constexpr (Row + 1 < Rows) add_quad<Offset, Rows, Vectors, Row + 1>(row0, row3, stride, weights, sum);
}

/// Weights of 8, 7, 6 and 5 bits; a row's codes as they are.
struct Bytes {
  static constexpr int kBits = 8, kRowBits = 8, kWeightBits = 8;
  static constexpr int kTileRows = 6;
  static constexpr int kMiddle = 0, kShift = 0, kGroupShift = 0;
  static constexpr int kCodeBytes = 0, kReadBytes = 1;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows <= 3 ? 4 : 2; }
  static float sum(const std::uint8_t* q, int count) { return ymm::sum_u8(q, count); }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const ymm::Codes codes, const std::int8_t* b,
                                              std::ptrdiff_t stride, int quads, ymm::Ahead& ahead,
                                              __m256i (&sum)[Rows][Vectors]) {
    ymm::clear(sum);
    const std::uint8_t *row0 = codes.a, *row3 = codes.a + 3 * codes.stride;
    for (; quads > 0; quads -= 8, row0 += 32, row3 += 32, b += stride * 8)
      add_quads<0>(row0, row3, codes.stride, b, stride, ahead, sum);
  }

  /// Quads Quad..7.
  template <int Quad, int Rows, int Vectors>
  [[gnu::always_inline]] static void add_quads(const std::uint8_t* row0, const std::uint8_t* row3,
                                               std::ptrdiff_t lda, const std::int8_t* b,
                                               std::ptrdiff_t stride, ymm::Ahead& ahead,
                                               __m256i (&sum)[Rows][Vectors]) {
    __m256i weights[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) weights[v] = ymm::load(b + v * 32);
    add_quad<Quad * 4>(row0, row3, lda, weights, sum);
    if constexpr (Quad % 2 == 0) ahead.fetch();
    if constexpr (Quad < 7) add_quads<Quad + 1>(row0, row3, lda, b + stride, stride, ahead, sum);
  }
};

inline void gemm_u8s8(const GemmArgs& args) noexcept { ymm::gemm<Bytes, false>(args); }
inline void gemm_u8s5(const GemmArgs& args) noexcept {
  if (args.format.group == 0) return ymm::gemm<Bytes, false>(args);
  ymm::gemm<Bytes, true>(args);
}

}  // namespace nybble::kernels::avxvnni
