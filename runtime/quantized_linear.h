// A linear whose result goes to codes (docs/numerics.md, rows to u8) block by block.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/kernel_set.h"

namespace nybble::runtime {

/// activation(dequantize(A · Wᵀ) + bias), quantized. The result exists as floats for some rows of one block
/// of row_block_depth(n) columns at a time: these lie in L2 between the product and the quantization, beside
/// the weights of the block.
class QuantizedLinear {
 public:
  using Product = void (*)(const kernels::GemmArgs&) noexcept;
  /// `weights` as for `product` alone, of all panels; `activation` as the graph names it, one that is 0
  /// at 0.
  QuantizedLinear(const kernels::KernelSet& kernels, Product product, const kernels::GemmArgs& weights,
                  const std::string& activation);

  /// Blocks of columns, which several tasks may share out.
  int blocks() const { return kernels::row_block_count(weights_.n); }
  /// Bytes of memory, 64-byte aligned, that run() needs for itself.
  std::size_t own_bytes() const;

  struct Rows {
    const std::uint8_t* codes;  ///< [count][weights.lda]
    const kernels::RowScale* scales;
    int count;
  };
  struct Result {
    std::uint8_t* codes;  ///< [count][stride], padding included
    std::ptrdiff_t stride;
    kernels::RowScale* scales;
  };
  /// Computes blocks [block_begin, block_end) of all rows. Any thread.
  void run(const Rows& rows, int block_begin, int block_end, const Result& result, std::byte* own) const;

 private:
  /// Some rows of one block.
  void run_part(kernels::GemmArgs product, int block, const Result& result, std::byte* own) const;
  int depth() const { return kernels::row_block_depth(weights_.n); }
  std::ptrdiff_t stride() const { return kernels::padded_columns(depth()); }

  kernels::GemmArgs weights_;
  Product product_;
  /// One of these: activates and quantizes; or quantizes what the product's epilogue has activated.
  decltype(kernels::KernelSet::gelu_quantize_rows_u8) activate_ = nullptr;
  decltype(kernels::KernelSet::quantize_ranged_u8) quantize_ = nullptr;
  int rows_;  ///< at a time
};

}  // namespace nybble::runtime
