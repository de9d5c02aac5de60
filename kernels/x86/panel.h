// The parts of a panel, and how M is split, for every u8×s8 product.
#pragma once

#include <cstring>

#include "kernels/kernel_set.h"

namespace nybble::kernels {

/// One panel of a pack (packed_weights.h).
struct PanelS8 {
  const std::int8_t* weights;
  const std::int32_t* colsum;  ///< [k_blocks][64]
  const float* scale;          ///< [64]
  const float* bias;           ///< [64]
  int width;                   ///< 16, 32, 48 or 64 columns
};

inline PanelS8 panel_s8(const GemmArgs& args, int p) {
  const std::byte* start = args.b + panel_offset_s8(args.k, p);
  const std::byte* trailer = start + panel_weight_bytes_s8(args.n, args.k, p);
  const auto* colsum = reinterpret_cast<const std::int32_t*>(trailer);
  const auto* scale = reinterpret_cast<const float*>(colsum + row_block_count(args.k) * kPanelColumns);
  return {reinterpret_cast<const std::int8_t*>(start), colsum, scale, scale + kPanelColumns,
          panel_width(args.n, p)};
}

/// Rows of one row block and where its activations, parameters and results stand.
struct RowBlock {
  const std::uint8_t* a;
  const RowScale* rows;
  float* c;
  int count;
  int row, column;  ///< of C, where `c` points
};

/// Block i of `blocks` nearly equal ones: 16 rows in tiles of up to 6 are 6 + 5 + 5, not 6 + 6 + 4.
inline RowBlock row_block(const GemmArgs& args, int panel, int i, int blocks) {
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(args.m) * i / blocks;
  const std::ptrdiff_t end = static_cast<std::ptrdiff_t>(args.m) * (i + 1) / blocks;
  return {args.a + first * args.lda,
          args.rows + first * row_block_count(args.k),
          args.c + first * args.ldc + panel * kPanelColumns,
          static_cast<int>(end - first),
          static_cast<int>(first),
          panel * kPanelColumns};
}

/// Hands a finished row block to the epilogue, if there is one.
inline void finish(const GemmArgs& args, const RowBlock& rows, int width) {
  if (args.epilogue == nullptr) return;
  args.epilogue({rows.c, args.ldc, rows.count, width, rows.row, rows.column}, args.epilogue_args);
}

inline std::int32_t load_quad(const std::uint8_t* a) {
  std::int32_t quad;
  std::memcpy(&quad, a, sizeof quad);
  return quad;
}

}  // namespace nybble::kernels
