// The products on packed weights, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/pack.h"

namespace nybble::kernels::scalar {

/// The codes of one row: 8 bits each, or 4 (two a byte, as in a pack).
struct RowCodes {
  const std::uint8_t* codes;
  int bits;

  int operator[](int k) const { return bits == 8 ? codes[k] : nibble(codes[(k / 8) * 4 + k % 4], k); }
};

/// Σ a[k]·(code[k][column] - zero), k in [begin, end). The bits are template arguments because a branch on
/// them in this loop makes the checks of all sets three times as long.
template <int RowBits, int WeightBits>
inline std::int32_t sum_products(Panel panel, const std::uint8_t* row, int column, int zero, int begin,
                                 int end) {
  panel.bits = WeightBits;
  const RowCodes a{row, RowBits};
  std::int32_t t = 0;
  for (int k = begin; k < end; ++k) t += a[k] * (panel.code(k, column) - zero);
  return t;
}

/// One element of C, weights per channel.
template <int RowBits, int WeightBits>
inline float channel_product(const GemmArgs& args, const Panel& panel, const std::uint8_t* a,
                             const RowScale* rows, int column) {
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  const float scale = panel.scale[column], bias = panel.bias[column];
  float f = 0;
  for (int b = 0; b < blocks; ++b) {
    const int end = b + 1 < blocks ? (b + 1) * depth : args.k;
    const std::int32_t t =
        sum_products<RowBits, WeightBits>(panel, a, column, middle_code(args.format), b * depth, end);
    const float sum = static_cast<float>(t - rows[b].zero * panel.colsum[b * kPanelColumns + column]);
    if (blocks == 1) return __builtin_fmaf(sum, rows[b].scale * scale, bias);
    f = __builtin_fmaf(sum, rows[b].scale, f);
  }
  return __builtin_fmaf(f, scale, bias);
}

/// One element of C, weights in groups.
template <int RowBits, int WeightBits>
inline float group_product(const GemmArgs& args, const Panel& panel, const std::uint8_t* a,
                           const RowScale* rows, int column) {
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  float f = panel.bias[column];
  for (int b = 0; b < blocks; ++b) {
    const int block_end = b + 1 < blocks ? (b + 1) * depth : args.k;
    float h = 0;
    for (int begin = b * depth; begin < block_end; begin += args.format.group) {
      const int end = begin + args.format.group < block_end ? begin + args.format.group : block_end;
      const std::ptrdiff_t at = begin / args.format.group * std::ptrdiff_t{kPanelColumns} + column;
      const std::int32_t t = sum_products<RowBits, WeightBits>(panel, a, column, panel.zero[at], begin, end);
      h = __builtin_fmaf(static_cast<float>(t), panel.scale[at], h);
    }
    h = __builtin_fmaf(-static_cast<float>(rows[b].zero), panel.weight_sum[b * kPanelColumns + column], h);
    f = __builtin_fmaf(h, rows[b].scale, f);
  }
  return f;
}

template <int RowBits, int WeightBits>
void gemm(const GemmArgs& args) noexcept {
  const int blocks = row_block_count(args.k, args.format);
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = parts_of(args.b, args.n, args.k, p, args.format);
    for (int row = 0; row < args.m; ++row) {
      const std::uint8_t* a = args.a + row * args.lda;
      const RowScale* rows = args.rows + std::ptrdiff_t{row} * blocks;
      float* c = args.c + row * args.ldc + p * kPanelColumns;
      for (int column = 0; column < panel.width; ++column) {
        c[column] = canonical(args.format.group == 0
                                  ? channel_product<RowBits, WeightBits>(args, panel, a, rows, column)
                                  : group_product<RowBits, WeightBits>(args, panel, a, rows, column));
      }
      if (args.epilogue != nullptr) {
        args.epilogue({c, args.ldc, 1, panel.width, row, p * kPanelColumns}, args.epilogue_args);
      }
    }
  }
}

}  // namespace nybble::kernels::scalar
