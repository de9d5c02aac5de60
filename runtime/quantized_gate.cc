#include "runtime/quantized_gate.h"

#include <algorithm>
#include <cstring>

namespace nybble::runtime {
namespace {

// 224 KB, 56 rows of 512 columns of both halves, beside 2 · 512 rows of weights. In a ModernBERT-base on a
// Zen 5 with 28 rows this linear takes 1.04 times as long, with 112 as long, with 192 1.01 times.
constexpr int kFloatsAtATime = 56 * 1024;
// Rows that are gated and then quantized together: 16 KB of each half, and as many as quantization computes
// the parameters of at a time.
constexpr int kRowsTogether = 8;

}  // namespace

QuantizedGate::QuantizedGate(const kernels::KernelSet& kernels, QuantizedLinear::Product product,
                             const kernels::GemmArgs& weights, Gate gate, bool up_first)
    : weights_(weights),
      product_(product),
      gate_(gate),
      quantize_(kernels.quantize_ranged_u8),
      columns_(weights.n / 2),
      up_first_(up_first) {
  // Where the halves border within a panel, a block of the second begins within one.
  const int most_panels = kernels::panel_count(depth()) + (columns_ % kernels::kPanelColumns != 0);
  stride_ = blocks() == 1 ? kernels::padded_columns(weights.n) : most_panels * kernels::kPanelColumns;
  weights_.ldc = stride_;
  const int halves = blocks() == 1 ? 1 : 2;
  rows_ = std::max(14, kFloatsAtATime / (halves * static_cast<int>(stride_)));
}

std::size_t QuantizedGate::own_bytes() const {
  const std::size_t halves = blocks() == 1 ? 1 : 2;
  return static_cast<std::size_t>(rows_) * static_cast<std::size_t>(stride_) * halves * sizeof(float);
}

void QuantizedGate::run(const QuantizedLinear::Rows& rows, int block_begin, int block_end,
                        const QuantizedLinear::Result& result, std::byte* own) const {
  for (int block = block_begin; block < block_end; ++block) {
    for (int row = 0; row < rows.count; row += rows_) {
      kernels::GemmArgs product = weights_;
      product.m = std::min(rows_, rows.count - row);
      product.a = rows.codes + row * weights_.lda;
      product.rows = rows.scales + static_cast<std::ptrdiff_t>(row) * kernels::row_block_count(weights_.k);
      const QuantizedLinear::Result part{
          result.codes + row * result.stride + static_cast<std::ptrdiff_t>(block) * depth(), result.stride,
          result.scales + static_cast<std::ptrdiff_t>(row) * blocks() + block};
      run_part(product, block, part, reinterpret_cast<float*>(own));
    }
  }
}

void QuantizedGate::run_part(const kernels::GemmArgs& product, int block,
                             const QuantizedLinear::Result& result, float* own) const {
  const int first = block * depth(), count = std::min(depth(), columns_ - first);
  float *left, *right;
  if (blocks() == 1) {
    left = multiply(product, 0, 2 * columns_, own);
    right = left + columns_;
  } else {
    left = multiply(product, first, count, own);
    right = multiply(product, columns_ + first, count, own + rows_ * stride_);
  }
  if (up_first_) std::swap(left, right);
  finish(left, right, product.m, count, result);
}

float* QuantizedGate::multiply(kernels::GemmArgs product, int first, int count, float* to) const {
  product.panel_begin = first / kernels::kPanelColumns;
  product.panel_end = kernels::panel_count(first + count);
  // Kernels count columns from the first of the row; those before these panels are never touched.
  product.c = to - product.panel_begin * kernels::kPanelColumns;
  product_(product);
  return to + first % kernels::kPanelColumns;
}

void QuantizedGate::finish(float* gate, const float* up, int rows, int count,
                           const QuantizedLinear::Result& result) const {
  for (int row = 0; row < rows; row += kRowsTogether) {
    const int some = std::min(kRowsTogether, rows - row);
    kernels::RowRange ranges[kRowsTogether];
    kernels::RowScale scales[kRowsTogether];
    std::memset(ranges, 0, sizeof(kernels::RowRange) * static_cast<std::size_t>(some));
    float* x = gate + row * stride_;
    gate_({x, up + row * stride_, stride_, some, count, x, stride_, ranges});
    // A block stands for a row of its own: its columns are one block by themselves.
    quantize_(
        {x, stride_, some, count, ranges, 0, 1, result.codes + row * result.stride, result.stride, scales});
    for (int i = 0; i < some; ++i) result.scales[static_cast<std::ptrdiff_t>(row + i) * blocks()] = scales[i];
  }
}

}  // namespace nybble::runtime
