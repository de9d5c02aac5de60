#include "bench/operands.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "bench/case.h"
#include "kernels/cpu.h"
#include "kernels/registry.h"

namespace nybble::bench {
namespace {

// Up to here M rows are one call; beyond, results would leave L2 before a caller's next step could read them.
constexpr int kMaxWholeRows = 128;

std::size_t size(int count) { return static_cast<std::size_t>(count); }

std::size_t level_two_bytes() {
  static const std::size_t bytes = [] {  // asked for in every call, and files to read
    for (const kernels::Cache& cache : kernels::caches()) {
      if (cache.level == 2) return cache.bytes;
    }
    return std::size_t{1} << 20;
  }();
  return bytes;
}

/// The rows of `rows`, again and again until there are m.
void repeat_rows(QuantizedRows& rows, int m) {
  const std::size_t codes = rows.codes.size(), scales = rows.scales.size();
  rows.codes.resize(size(m) * rows.row_bytes);
  rows.scales.resize(size(m) * rows.scales_per_row);
  for (std::size_t i = codes; i < rows.codes.size(); ++i) rows.codes[i] = rows.codes[i - codes];
  for (std::size_t i = scales; i < rows.scales.size(); ++i) rows.scales[i] = rows.scales[i - scales];
}

}  // namespace

// splitmix64, four uniform numbers added: roughly normal, and quick enough for millions.
void fill_normal(std::span<float> values, std::uint64_t seed) {
  for (float& value : values) {
    seed += 0x9E3779B97F4A7C15;
    std::uint64_t bits = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB;
    bits ^= bits >> 31;
    int sum = 0;
    for (int part = 0; part < 4; ++part) sum += static_cast<std::int16_t>(bits >> part * 16);
    value = static_cast<float>(sum) / 37837.0F;  // the deviation of the sum
  }
}

LayerData::LayerData(int n, int k)
    : n_(n), k_(k), w_(size(n) * size(k) + kMaxVariants), bias_(size(n)), x_(size(kDistinctRows) * size(k)) {
  fill_normal(w_, 1);
  fill_normal(bias_, 2);
  fill_normal(x_, 3);
}

std::span<const float> LayerData::w(int variant) const {
  return std::span(w_).subspan(size(variant), size(n_) * size(k_));
}

Operands::Operands(const Product& product, const kernels::KernelSet& set, const LayerData& data, int max_rows,
                   int distinct_rows, int variant)
    : product_(product),
      set_(set),
      n_(data.n()),
      k_(data.k()),
      distinct_(std::min(max_rows, distinct_rows)),
      pack_(kernels::packed_bytes(n_, k_, product.format)),
      rows_(product, set, data.x(), distinct_, k_) {
  pack_weights(product, set, data.w(variant), data.bias(), n_, k_, pack_.data());
  repeat_rows(rows_, max_rows);
  const std::size_t ldc = size(kernels::padded_columns(n_));
  c_ = quant::Pages(size(row_block(max_rows)) * ldc * 4);
  expected_.resize(size(distinct_) * ldc);
  const kernels::KernelSet& scalar = kernels::find_set("scalar");
  scalar_seconds_a_row_ =
      seconds_of_call([&] { run_block(scalar, 0, distinct_, expected_.data()); }) / distinct_;
}

int Operands::row_block(int m) const {
  if (m <= kMaxWholeRows) return m;
  const std::size_t row_bytes = rows_.row_bytes + size(kernels::padded_columns(n_)) * 4;
  const int fitting = static_cast<int>(std::max<std::size_t>(level_two_bytes() / 2 / row_bytes, 12));
  const int blocks = (m + fitting - 1) / fitting;
  return std::min(m, kernels::round_up((m + blocks - 1) / blocks, 12));  // whole tiles of 2, 3, 4 and 6 rows
}

int Operands::block_count(int m) const { return (m + row_block(m) - 1) / row_block(m); }

double Operands::bytes(int m) const {
  return static_cast<double>(pack_.size()) +
         static_cast<double>(m) * (static_cast<double>(rows_.row_bytes) + 4.0 * n_);
}

void Operands::run_block(const kernels::KernelSet& set, int row, int m, float* c) const {
  (set.*product_.gemm)({.a = rows_.codes.data() + size(row) * rows_.row_bytes,
                        .lda = static_cast<std::ptrdiff_t>(rows_.row_bytes),
                        .rows = rows_.scales.data() + size(row) * rows_.scales_per_row,
                        .b = pack_.data(),
                        .m = m,
                        .n = n_,
                        .k = k_,
                        .panel_begin = 0,
                        .panel_end = kernels::panel_count(n_),
                        .c = c,
                        .ldc = kernels::padded_columns(n_),
                        .epilogue = nullptr,
                        .format = product_.format});
}

template <class Block>
void Operands::each_block(int m, Block block) const {
  const int height = row_block(m);
  for (int row = 0; row < m; row += height) block(row, std::min(height, m - row));
}

void Operands::run(int m) const {
  auto* c = reinterpret_cast<float*>(c_.data());
  each_block(m, [&](int row, int rows) { run_block(set_, row, rows, c); });
}

std::string Operands::verify(int m) const {
  auto* c = reinterpret_cast<float*>(c_.data());
  const std::size_t ldc = size(kernels::padded_columns(n_));
  std::string wrong;
  each_block(m, [&](int row, int rows) {
    std::memset(c, 0xA5, size(rows) * ldc * 4);
    run_block(set_, row, rows, c);
    for (int i = 0; i < rows && wrong.empty(); ++i) {
      const float* expected = &expected_[size((row + i) % distinct_) * ldc];
      for (std::size_t j = 0; j < ldc && wrong.empty(); ++j) {
        if (std::memcmp(&c[size(i) * ldc + j], &expected[j], 4) == 0) continue;
        wrong = fmt::format("row {}, column {}: expected {} as the scalar set has it, found {}", row + i, j,
                            expected[j], c[size(i) * ldc + j]);
      }
    }
  });
  return wrong;
}

}  // namespace nybble::bench
