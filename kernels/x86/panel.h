// How M is split, for every product.
#pragma once

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/panel.h"

namespace nybble::kernels {

inline Panel panel_of(const GemmArgs& args, int p) {
  return panel_of(args.b, args.n, args.k, p, args.format);
}

/// The codes of a panel of bytes.
inline const std::int8_t* codes(const Panel& panel) {
  return reinterpret_cast<const std::int8_t*>(panel.weights);
}

/// Rows of one row block and where its activations, parameters and results stand.
struct RowBlock {
  const std::uint8_t* a;
  const RowScale* rows;
  float* c;
  int count;
  int row, column;  ///< of C, where `c` points
};

/// Block i of `blocks` nearly equal ones, the longer ones last: 16 rows in tiles of up to 6 are 5 + 5 + 6,
/// not 6 + 6 + 4. Divides in 32 bits: 64 take so long that the first loads of a tile wait (0.7 points of the
/// peak at K = 384).
inline RowBlock row_block(const GemmArgs& args, int panel, int i, int blocks) {
  const int least = static_cast<int>(static_cast<unsigned>(args.m) / static_cast<unsigned>(blocks));
  const int shorter = blocks - (args.m - least * blocks);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(least) * i + (i > shorter ? i - shorter : 0);
  const std::ptrdiff_t end = first + least + (i < shorter ? 0 : 1);
  return {args.a + first * args.lda,
          args.rows + first * row_block_count(args.k, args.format),
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
