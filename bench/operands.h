// A product's operands on one set, with the results that the scalar set has for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/products.h"
#include "quant/pages.h"

namespace nybble::bench {

/// Roughly normal numbers, deviation 1, of a seed.
void fill_normal(std::span<float> values, std::uint64_t seed);

/// Random weights and rows that do not depend on the set; made once a shape.
class LayerData {
 public:
  LayerData(int n, int k);
  /// [n][k]; variants 0..kMaxVariants have other weights.
  std::span<const float> w(int variant = 0) const;
  std::span<const float> bias() const { return bias_; }
  std::span<const float> x() const { return x_; }
  int n() const { return n_; }
  int k() const { return k_; }

 private:
  int n_, k_;
  std::vector<float> w_, bias_, x_;
};

/// Distinct rows of activations; more rows repeat them, so that the scalar set needs compute no more. A prime
/// above the height of any tile: a tile that took a wrong row of it would not go unnoticed.
inline constexpr int kDistinctRows = 17;
inline constexpr int kMaxVariants = 4096;

/// A pack, quantized rows, and what scalar makes of them.
class Operands {
 public:
  /// max_rows: the largest M. Of distinct_rows rows, at most kDistinctRows, all are made.
  Operands(const Product& product, const kernels::KernelSet& set, const LayerData& data, int max_rows,
           int distinct_rows = kDistinctRows, int variant = 0);

  std::span<const std::byte> pack() const { return {pack_.data(), pack_.size()}; }
  double scalar_seconds_a_row() const { return scalar_seconds_a_row_; }

  /// M rows; beyond 128 in blocks that all write to the same block of C.
  void run(int m) const;
  /// The same, each block compared with scalar's results. Returns what is wrong, or nothing.
  std::string verify(int m) const;
  /// Blocks that M rows are cut into: 1, or beyond 128 as few as keep rows and results in half of L2.
  int block_count(int m) const;
  /// Bytes that M rows read and write in memory at least: weights, codes, results.
  double bytes(int m) const;

 private:
  int row_block(int m) const;
  /// m rows from `row` on into c [m][padded_columns(n)].
  void run_block(const kernels::KernelSet& set, int row, int m, float* c) const;
  template <class Block>
  void each_block(int m, Block block) const;

  const Product& product_;
  const kernels::KernelSet& set_;
  int n_, k_, distinct_;
  quant::Pages pack_, c_;
  QuantizedRows rows_;
  std::vector<float> expected_;  ///< [distinct_][ldc]
  double scalar_seconds_a_row_ = 0;
};

}  // namespace nybble::bench
