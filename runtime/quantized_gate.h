// The linear of a gated layer, whose gated result goes to codes (docs/numerics.md, rows to u8) block by
// block.
#pragma once

#include <cstddef>

#include "kernels/kernel_set.h"
#include "runtime/quantized_linear.h"

namespace nybble::runtime {

/// activation(gate) · up of the two halves of dequantize(A · Wᵀ) + bias, quantized. Both halves exist as
/// floats for some rows of one block of row_block_depth(columns) columns at a time.
class QuantizedGate {
 public:
  using Gate = void (*)(const kernels::GateArgs&) noexcept;
  /// `weights` as for `product` alone, of all panels; its n is twice the columns of the result, the first
  /// half of them the gate's, or the other's where `up_first`.
  QuantizedGate(const kernels::KernelSet& kernels, QuantizedLinear::Product product,
                const kernels::GemmArgs& weights, Gate gate, bool up_first);

  /// Blocks of columns, which several tasks may share out.
  int blocks() const { return kernels::row_block_count(columns_); }
  /// Bytes of memory, 64-byte aligned, that run() needs for itself.
  std::size_t own_bytes() const;
  /// Computes blocks [block_begin, block_end) of all rows. Any thread.
  void run(const QuantizedLinear::Rows& rows, int block_begin, int block_end,
           const QuantizedLinear::Result& result, std::byte* own) const;

 private:
  /// Some rows of one block.
  void run_part(const kernels::GemmArgs& product, int block, const QuantizedLinear::Result& result,
                float* own) const;
  /// Columns [first, first + count) of the product, and others of the same panels, in rows of stride_ floats
  /// at `to`; returns the first of them.
  float* multiply(kernels::GemmArgs product, int first, int count, float* to) const;
  /// Gates and quantizes `count` columns of `rows` rows.
  void finish(float* gate, const float* up, int rows, int count, const QuantizedLinear::Result& result) const;
  int depth() const { return kernels::row_block_depth(columns_); }

  kernels::GemmArgs weights_;
  QuantizedLinear::Product product_;
  Gate gate_;
  decltype(kernels::KernelSet::quantize_ranged_u8) quantize_;
  int columns_;
  bool up_first_;
  std::ptrdiff_t stride_;  ///< of a row of one half, or of both where there is one block
  int rows_;               ///< at a time
};

}  // namespace nybble::runtime
