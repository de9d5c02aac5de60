// A product of some rows whose result goes to codes, for the steps that do so block by block.
#pragma once

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/registry.h"
#include "quant/packed_linear.h"
#include "runtime/quantized_linear.h"

namespace nybble::runtime::test {

using namespace nybble::kernels;

/// Codes and scales of some rows.
struct Codes {
  Codes(int rows, int columns)
      : stride(padded_depth(columns)),
        codes(static_cast<std::size_t>(rows * stride)),
        scales(static_cast<std::size_t>(rows * row_block_count(columns))) {}
  std::ptrdiff_t stride;
  std::vector<std::uint8_t> codes;
  std::vector<RowScale> scales;

  bool operator==(const Codes& other) const {
    return codes == other.codes &&
           std::memcmp(scales.data(), other.scales.data(), scales.size() * sizeof(RowScale)) == 0;
  }
};

inline std::vector<float> normals(int count, float deviation, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(normal(random));
  return values;
}

/// A product of `rows` rows of n columns.
struct ProductCase {
  ProductCase(const KernelSet& kernels, const quant::IntegerFormat& weights, int n, int depth, int most_rows,
              std::mt19937& random)
      : set(kernels), format(weights), k(depth), rows(most_rows), x(rows, k) {
    const std::vector<float> w = normals(n * k, 0.2F, random), bias = normals(n, 0.1F, random),
                             values = normals(rows * k, 1.0F, random);
    const std::vector<quant::SourceRows> source = {{"w", n}};
    pack = std::make_unique<quant::PackedLinear>(set, format, w, n, k, bias, source, source);
    set.quantize_rows_u8(values.data(), k, rows, k, x.codes.data(), x.stride, x.scales.data());
    args.b = pack->data();
    args.format = format.pack;
    args.n = n;
    args.k = k;
    args.panel_end = panel_count(n);
    args.lda = x.stride;
  }

  /// The whole product, then `epilogue` if it is not null.
  std::vector<float> product(TileEpilogue epilogue) const {
    GemmArgs call = args;
    call.ldc = padded_columns(args.n);
    std::vector<float> c(static_cast<std::size_t>(rows * call.ldc));
    call.a = x.codes.data();
    call.rows = x.scales.data();
    call.m = rows;
    call.c = c.data();
    call.epilogue = epilogue;
    (set.*format.product)(call);
    return c;
  }

  /// The codes of `columns` columns of such rows.
  Codes codes_of(const std::vector<float>& c, std::ptrdiff_t stride, int columns) const {
    Codes result(rows, columns);
    set.quantize_rows_u8(c.data(), stride, rows, columns, result.codes.data(), result.stride,
                         result.scales.data());
    return result;
  }

  /// What `linear`, a step with `columns` columns, makes of the rows in parts that end at blocks `borders`.
  template <class Linear>
  Codes fused(const Linear& linear, int columns, const std::vector<int>& borders) const {
    Codes result(rows, columns);
    std::vector<std::byte> own(linear.own_bytes() + 64);
    void* memory = own.data();
    std::size_t space = own.size();
    std::align(64, linear.own_bytes(), memory, space);
    for (std::size_t i = 0; i + 1 < borders.size(); ++i) {
      linear.run({x.codes.data(), x.scales.data(), rows}, borders[i], borders[i + 1],
                 {result.codes.data(), result.stride, result.scales.data()}, static_cast<std::byte*>(memory));
    }
    return result;
  }

  const KernelSet& set;
  const quant::IntegerFormat& format;
  int k, rows;
  Codes x;
  std::unique_ptr<quant::PackedLinear> pack;
  GemmArgs args{};
};

/// 0, 1 … blocks.
inline std::vector<int> every_block(int blocks) {
  std::vector<int> borders;
  for (int i = 0; i <= blocks; ++i) borders.push_back(i);
  return borders;
}

}  // namespace nybble::runtime::test
