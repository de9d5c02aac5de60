#include "runtime/quantized_linear.h"

#include <catch2/catch.hpp>

#include "product_case.h"

using namespace nybble;
using namespace nybble::runtime::test;
using runtime::QuantizedLinear;

namespace {

TileEpilogue epilogue_of(const KernelSet& set, const std::string& activation) {
  if (activation == "gelu_erf_q") return set.gelu_erf_q;
  if (activation == "gelu_erf") return set.gelu_erf;
  if (activation == "gelu_tanh") return set.gelu_tanh;
  if (activation == "silu") return set.silu;
  return activation == "tanh" ? set.tanh : set.relu;
}

Codes by_steps(const ProductCase& it, const std::string& activation) {
  return it.codes_of(it.product(epilogue_of(it.set, activation)), padded_columns(it.args.n), it.args.n);
}

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
        const ProductCase it(*entry.set, format, n, k, rows, random);
        for (const std::string activation : {"gelu_erf_q", "gelu_erf", "gelu_tanh", "relu", "silu", "tanh"}) {
          const QuantizedLinear linear(*entry.set, entry.set->*it.format.product, it.args, activation);
          INFO(entry.set->name << ", " << format.name << ", " << n << " x " << k << ", rows " << rows << ", "
                               << activation);
          REQUIRE(linear.blocks() == row_block_count(n));
          const Codes expected = by_steps(it, activation);
          REQUIRE(it.fused(linear, n, {0, linear.blocks()}) == expected);
          REQUIRE(it.fused(linear, n, every_block(linear.blocks())) == expected);
        }
      }
    }
  }
}

TEST_CASE("a quantized linear keeps no more than 132 KB of floats, however wide its result") {
  std::mt19937 random(12);
  const KernelSet& set = best_set();
  for (const int n : {16, 512, 1024, 1536, 4096}) {
    const ProductCase it(set, quant::kIntegerFormats[0], n, 8, 1, random);
    REQUIRE(QuantizedLinear(set, set.gemm_u8s8, it.args, "gelu_erf_q").own_bytes() <= 132 << 10);
  }
}
