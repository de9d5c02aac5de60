#include "runtime/quantized_linear.h"

#include <algorithm>
#include <cstring>

namespace nybble::runtime {
namespace {

// Floats at a time, at most: 132 KB, an eighth of an L2 of 1 MiB, and eleven tiles of 6 rows of 512 columns.
constexpr int kFloatsAtATime = 66 * 512;

kernels::TileEpilogue epilogue_of(const kernels::KernelSet& kernels, const std::string& activation) {
  if (activation == "gelu_erf") return kernels.gelu_erf;
  if (activation == "gelu_tanh") return kernels.gelu_tanh;
  if (activation == "silu") return kernels.silu;
  return activation == "tanh" ? kernels.tanh : kernels.relu;
}

}  // namespace

QuantizedLinear::QuantizedLinear(const kernels::KernelSet& kernels, Product product,
                                 const kernels::GemmArgs& weights, const std::string& activation)
    : weights_(weights), product_(product) {
  if (activation == "gelu_erf_q") {
    activate_ = kernels.gelu_quantize_rows_u8;
  } else {
    quantize_ = kernels.quantize_ranged_u8;
    weights_.epilogue = epilogue_of(kernels, activation);
  }
  weights_.ldc = stride();
  rows_ = std::max(14, kFloatsAtATime / static_cast<int>(stride()));
}

std::size_t QuantizedLinear::own_bytes() const {
  const std::size_t ranges =
      quantize_ == nullptr ? 0 : sizeof(kernels::RowRange) * static_cast<std::size_t>(blocks());
  return static_cast<std::size_t>(rows_) * (static_cast<std::size_t>(stride()) * sizeof(float) + ranges);
}

void QuantizedLinear::run(const Rows& rows, int block_begin, int block_end, const Result& result,
                          std::byte* own) const {
  // All rows of a block before the next block: its weights are read from memory once and from L2 after that.
  for (int block = block_begin; block < block_end; ++block) {
    const int parts = (rows.count + rows_ - 1) / rows_;
    for (int i = 0; i < parts; ++i) {
      const int row = rows.count * i / parts;
      kernels::GemmArgs product = weights_;
      product.m = rows.count * (i + 1) / parts - row;
      product.a = rows.codes + row * weights_.lda;
      product.rows = rows.scales + static_cast<std::ptrdiff_t>(row) * kernels::row_block_count(weights_.k);
      const Result part{result.codes + row * result.stride, result.stride,
                        result.scales + static_cast<std::ptrdiff_t>(row) * blocks()};
      run_part(product, block, part, own);
    }
  }
}

void QuantizedLinear::run_part(kernels::GemmArgs product, int block, const Result& result,
                               std::byte* own) const {
  const int first = block * depth(), n = weights_.n;
  product.panel_begin = first / kernels::kPanelColumns;
  product.panel_end = kernels::panel_count(std::min(n, first + depth()));
  // Kernels count columns from the first of the row; those before this block's are never touched.
  float* x = reinterpret_cast<float*>(own);
  float* row_start = x - first;
  product.c = row_start;
  if (activate_ != nullptr) {
    product_(product);
    return activate_(
        {row_start, product.ldc, product.m, n, block, block + 1, result.codes, result.stride, result.scales});
  }
  auto* ranges = reinterpret_cast<kernels::RowRange*>(x + rows_ * stride());
  std::memset(
      ranges, 0,
      sizeof(kernels::RowRange) * static_cast<std::size_t>(product.m) * static_cast<std::size_t>(blocks()));
  kernels::EpilogueArgs args;
  args.ranges = ranges;
  args.columns = n;
  product.epilogue_args = &args;
  product_(product);
  quantize_({row_start, product.ldc, product.m, n, ranges, block, block + 1, result.codes, result.stride,
             result.scales});
}

}  // namespace nybble::runtime
