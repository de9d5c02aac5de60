// The products of a KernelSet as the benchmark sees them: how to pack, how to quantize the rows, what to
// call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bench/peak.h"
#include "kernels/kernel_set.h"

namespace nybble::bench {

/// A product of a KernelSet on weights of one format. Packing, rows and the call follow from these fields.
struct Product {
  std::string_view name;   ///< what is printed: the entry, and its groups where it has some: "gemm_u8s4/g128"
  std::string_view entry;  ///< of KernelSet
  void (*kernels::KernelSet::*gemm)(const kernels::GemmArgs&) noexcept;
  int row_bits;  ///< 8: quantize_rows_u8, 4: quantize_rows_u4
  kernels::PackFormat format;
  Multiplier multiplier;  ///< below VNNI
};

/// The list to extend with a product.
std::span<const Product> products();

/// Writes the pack of w [n][k] with that format: scales by the largest weight of a channel or group. Groups
/// have zero codes beside the middle, as asymmetric ones do.
void pack_weights(const Product& product, const kernels::KernelSet& set, std::span<const float> w,
                  std::span<const float> bias, int n, int k, std::byte* pack);

/// Rows of activations, quantized as a product wants them.
struct QuantizedRows {
  QuantizedRows(const Product& product, const kernels::KernelSet& set, std::span<const float> x, int m,
                int k);

  std::size_t row_bytes;
  std::size_t scales_per_row;
  std::vector<std::uint8_t> codes;        ///< [m][row_bytes]
  std::vector<kernels::RowScale> scales;  ///< [m][scales_per_row]
};

}  // namespace nybble::bench
