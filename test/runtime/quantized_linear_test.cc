#include "runtime/quantized_linear.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/registry.h"
#include "quant/packed_linear.h"

using namespace nybble;
using namespace nybble::kernels;
using runtime::QuantizedLinear;

namespace {

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

std::vector<float> normals(int count, float deviation, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(normal(random));
  return values;
}

TileEpilogue epilogue_of(const KernelSet& set, const std::string& activation) {
  if (activation == "gelu_erf_q") return set.gelu_erf_q;
  if (activation == "gelu_erf") return set.gelu_erf;
  return activation == "gelu_tanh" ? set.gelu_tanh : set.relu;
}

/// A product of `rows` rows, and what it becomes in two ways.
struct Case {
  Case(const KernelSet& kernels, const quant::IntegerFormat& weights, int n, int depth, int most_rows,
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

  /// The whole product, then a pass for the activation and one for the codes.
  Codes by_steps(const std::string& activation) const {
    GemmArgs call = args;
    call.ldc = padded_columns(args.n);
    std::vector<float> c(static_cast<std::size_t>(rows * call.ldc));
    call.a = x.codes.data();
    call.rows = x.scales.data();
    call.m = rows;
    call.c = c.data();
    call.epilogue = epilogue_of(set, activation);
    (set.*format.product)(call);
    Codes result(rows, args.n);
    set.quantize_rows_u8(c.data(), call.ldc, rows, args.n, result.codes.data(), result.stride,
                         result.scales.data());
    return result;
  }

  Codes fused(const QuantizedLinear& linear, const std::vector<int>& borders) const {
    Codes result(rows, args.n);
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

}  // namespace

TEST_CASE("a quantized linear has the codes of a product, an activation and a quantization, on every set") {
  std::mt19937 random(11);
  std::size_t turn = 0;
  for (const RegisteredSet& entry : registered_sets()) {
    if (!entry.runnable) continue;
    for (const auto& [n, k] :
         std::vector<std::pair<int, int>>{{37, 24}, {1024, 64}, {1025, 40}, {1536, 96}, {2100, 33}}) {
      for (const int rows : {1, 13, 57, 130}) {
        if (rows > 60 && std::string(entry.set->name) == "scalar") continue;
        // In turn, so that each format meets each set.
        const quant::IntegerFormat& format = quant::kIntegerFormats[turn++ % quant::kIntegerFormats.size()];
        const Case it(*entry.set, format, n, k, rows, random);
        for (const std::string activation : {"gelu_erf_q", "gelu_erf", "gelu_tanh", "relu"}) {
          const QuantizedLinear linear(*entry.set, entry.set->*it.format.product, it.args, activation);
          INFO(entry.set->name << ", " << format.name << ", " << n << " x " << k << ", rows " << rows << ", "
                               << activation);
          REQUIRE(linear.blocks() == row_block_count(n));
          std::vector<int> borders(static_cast<std::size_t>(linear.blocks()) + 1);
          for (int i = 0; i <= linear.blocks(); ++i) borders[static_cast<std::size_t>(i)] = i;
          const Codes expected = it.by_steps(activation);
          REQUIRE(it.fused(linear, {0, linear.blocks()}) == expected);
          REQUIRE(it.fused(linear, borders) == expected);
        }
      }
    }
  }
}

TEST_CASE("a quantized linear keeps no more than 128 KB of floats, however wide its result") {
  std::mt19937 random(12);
  const KernelSet& set = best_set();
  for (const int n : {16, 512, 1024, 1536, 4096}) {
    const Case it(set, quant::kIntegerFormats[0], n, 8, 1, random);
    REQUIRE(QuantizedLinear(set, set.gemm_u8s8, it.args, "gelu_erf_q").own_bytes() <= 128 << 10);
  }
}
