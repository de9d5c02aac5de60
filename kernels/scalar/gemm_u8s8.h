// C = A (u8) × W (s8), literally as docs/numerics.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

/// The parts of one panel of a pack (packed_weights.h).
struct Panel {
  const std::int8_t* weights;
  const std::int32_t* colsum;
  const float* scale;
  const float* bias;
  int width;
};

inline Panel panel_of(const GemmArgs& args, int p) {
  const std::byte* start = args.b + panel_offset_s8(args.k, p);
  const std::byte* trailer = start + panel_weight_bytes_s8(args.n, args.k, p);
  const auto* colsum = reinterpret_cast<const std::int32_t*>(trailer);
  const auto* scale = reinterpret_cast<const float*>(colsum + row_block_count(args.k) * kPanelColumns);
  return {reinterpret_cast<const std::int8_t*>(start), colsum, scale, scale + kPanelColumns,
          panel_width(args.n, p)};
}

/// t[j] = Σ a[k]·w[k][column + j] for 16 columns, k in [begin, end).
inline void sum_products(const Panel& panel, const std::uint8_t* a, int column, int begin, int end,
                         std::int32_t* t) {
  for (int j = 0; j < kColumnBlock; ++j) t[j] = 0;
  for (int k = begin; k < end; ++k) {
    const std::int8_t* w = panel.weights + (k / 4) * panel.width * 4 + column * 4 + k % 4;
    for (int j = 0; j < kColumnBlock; ++j) t[j] += a[k] * w[j * 4];
  }
}

/// 16 columns of one row of C, from `column` of the panel on.
inline void product_block(const GemmArgs& args, const Panel& panel, int row, int column, float* c) {
  const std::uint8_t* a = args.a + row * args.lda;
  const int blocks = row_block_count(args.k), depth = row_block_depth(args.k);
  const RowScale* rows = args.rows + static_cast<std::ptrdiff_t>(row) * blocks;
  float f[kColumnBlock] = {};
  for (int b = 0; b < blocks; ++b) {
    std::int32_t t[kColumnBlock];
    sum_products(panel, a, column, b * depth, b + 1 < blocks ? (b + 1) * depth : args.k, t);
    for (int j = 0; j < kColumnBlock; ++j) {
      const float sum =
          static_cast<float>(t[j] - rows[b].zero * panel.colsum[b * kPanelColumns + column + j]);
      const float scale = panel.scale[column + j], bias = panel.bias[column + j];
      f[j] = blocks == 1 ? __builtin_fmaf(sum, rows[b].scale * scale, bias)
                         : __builtin_fmaf(sum, rows[b].scale, f[j]);
    }
  }
  for (int j = 0; j < kColumnBlock; ++j) {
    if (blocks > 1) f[j] = __builtin_fmaf(f[j], panel.scale[column + j], panel.bias[column + j]);
    c[j] = canonical(f[j]);
  }
}

inline void gemm_u8s8(const GemmArgs& args) noexcept {
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    for (int row = 0; row < args.m; ++row) {
      float* c = args.c + row * args.ldc + p * kPanelColumns;
      for (int column = 0; column < panel.width; column += kColumnBlock) {
        product_block(args, panel, row, column, c + column);
      }
      if (args.epilogue != nullptr) {
        args.epilogue({c, args.ldc, 1, panel.width, row, p * kPanelColumns}, args.epilogue_args);
      }
    }
  }
}

}  // namespace nybble::kernels::scalar
