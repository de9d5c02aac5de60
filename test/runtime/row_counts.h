// A kernel set that counts the rows which the fused encoder layer's kernels read and write.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/registry.h"

namespace nybble::test {

/// Bytes that kernels read and wrote, codes with their scales, padding included.
struct RowCounts {
  double product_reads = 0, product_writes = 0, activated_reads = 0, activated_writes = 0;
  double quantize_reads = 0, quantize_writes = 0, norm_reads = 0, norm_writes = 0;
  double attention_writes = 0;
};
inline RowCounts counts;

inline double float_bytes(int rows, int columns) { return 4.0 * rows * kernels::padded_columns(columns); }
inline double code_bytes(int rows, int columns) {
  return static_cast<double>(rows) *
         (kernels::padded_depth(columns) +
          static_cast<int>(sizeof(kernels::RowScale)) * kernels::row_block_count(columns));
}

/// `set`, counted; for one thread at a time.
inline kernels::KernelSet counted(const kernels::KernelSet& set) {
  static const kernels::KernelSet* real;
  real = &set;
  kernels::KernelSet result = set;
  result.gemm_u8s8 = [](const kernels::GemmArgs& args) noexcept {
    const int columns =
        std::min(args.n, args.panel_end * kernels::kPanelColumns) - args.panel_begin * kernels::kPanelColumns;
    // A product of some columns reads its rows for these alone: all its calls together make one pass.
    counts.product_reads += code_bytes(args.m, args.k) * columns / args.n;
    counts.product_writes += float_bytes(args.m, columns);
    real->gemm_u8s8(args);
  };
  result.gelu_quantize_rows_u8 = [](const kernels::ActivatedRows& args) noexcept {
    const int depth = kernels::row_block_depth(args.k);
    const int columns = std::min(args.k, args.block_end * depth) - args.block_begin * depth;
    counts.activated_reads += float_bytes(args.m, columns);
    counts.activated_writes += code_bytes(args.m, args.k) * columns / args.k;
    real->gelu_quantize_rows_u8(args);
  };
  result.quantize_rows_u8 = [](const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q,
                               std::ptrdiff_t ldq, kernels::RowScale* rows) noexcept {
    counts.quantize_reads += float_bytes(m, k);
    counts.quantize_writes += code_bytes(m, k);
    real->quantize_rows_u8(x, ldx, m, k, q, ldq, rows);
  };
  result.layernorm = [](const kernels::NormArgs& args) noexcept {
    counts.norm_reads += (args.residual == nullptr ? 1 : 2) * float_bytes(args.m, args.n);
    counts.norm_writes += float_bytes(args.m, args.n) + (args.q == nullptr ? 0 : code_bytes(args.m, args.n));
    real->layernorm(args);
  };
  result.attention_s8 = [](const kernels::AttentionArgs& args) noexcept {
    counts.attention_writes += 4.0 * (args.row_end - args.row_begin) * args.head_dim;
    real->attention_s8(args);
  };
  return result;
}

}  // namespace nybble::test
