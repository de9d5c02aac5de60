// A linear layer's weights as integers, packed for the products (kernels/packed_weights.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kernels/kernel_set.h"
#include "quant/integer_format.h"

namespace nybble::quant {

/// The next rows of a weight, or entries of a bias, and the tensor that they came from.
struct SourceRows {
  std::string label;  ///< the beginning of a sentence: `FILE: tensor "NAME"`
  int rows = 0;
};

/// Gives rows [begin, end) of a weight, row-major, until it is called again.
using RowReader = std::function<std::span<const float>(int begin, int end)>;

/// A pack, in memory of its own or in what it was given. Immutable after construction; may be read by many
/// threads.
class PackedLinear {
 public:
  /// Quantizes w [n][k] (row-major) as docs/numerics.md says it of the format, and packs it. `bias` has n
  /// floats or none (zeros). The pack is the same on every instruction set. The sources, n rows each, name
  /// the tensors in errors. Throws Error{unsupported_model} where a weight or bias is not finite. n, k ≥ 1.
  PackedLinear(const kernels::KernelSet& kernels, const IntegerFormat& format, std::span<const float> w,
               int n, int k, std::span<const float> bias, std::span<const SourceRows> weight_sources,
               std::span<const SourceRows> bias_sources);
  /// The same of weights that are read 64 rows at a time, in order, and packed to `memory`: packed_bytes(n,
  /// k, format.pack), 64-byte aligned, that outlive this. Null: memory of its own.
  PackedLinear(const kernels::KernelSet& kernels, const IntegerFormat& format, const RowReader& rows, int n,
               int k, std::span<const float> bias, std::span<const SourceRows> weight_sources,
               std::span<const SourceRows> bias_sources, std::byte* memory = nullptr);

  const IntegerFormat& format() const noexcept { return format_; }
  int n() const noexcept { return n_; }
  int k() const noexcept { return k_; }
  const std::byte* data() const noexcept { return data_; }  ///< 64-byte aligned
  std::size_t bytes() const noexcept { return kernels::packed_bytes(n_, k_, format_.pack); }

 private:
  struct AlignedDelete {
    void operator()(std::byte* data) const noexcept { ::operator delete[](data, std::align_val_t{64}); }
  };

  IntegerFormat format_;
  int n_, k_;
  std::unique_ptr<std::byte[], AlignedDelete> owned_;
  std::byte* data_;
};

}  // namespace nybble::quant
