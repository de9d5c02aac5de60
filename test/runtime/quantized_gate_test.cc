#include "runtime/quantized_gate.h"

#include <catch2/catch.hpp>

#include "product_case.h"

using namespace nybble;
using namespace nybble::runtime::test;
using runtime::QuantizedGate;

namespace {

QuantizedGate::Gate gate_of(const KernelSet& set, const std::string& kind) {
  if (kind == "silu") return set.gate_silu;
  return kind == "gelu_erf" ? set.gate_gelu_erf : set.gate_gelu_tanh;
}

/// The whole product, then a pass for the gate and one for the codes.
Codes by_steps(const ProductCase& it, QuantizedGate::Gate gate, bool up_first) {
  const std::vector<float> c = it.product(nullptr);
  const int columns = it.args.n / 2;
  const std::ptrdiff_t stride = padded_columns(it.args.n);
  const float *left = c.data(), *right = left + columns;
  std::vector<float> gated(c.size());
  gate({up_first ? right : left, up_first ? left : right, stride, it.rows, columns, gated.data(), stride,
        nullptr});
  return it.codes_of(gated, stride, columns);
}

}  // namespace

TEST_CASE("a quantized gate has the codes of a product, a gate and a quantization, on every set") {
  std::mt19937 random(13);
  std::size_t turn = 0;
  for (const RegisteredSet& entry : registered_sets()) {
    if (!entry.runnable) continue;
    // Of one block, of several whose halves border on panels, and of several whose halves border within one.
    for (const auto& [columns, k] :
         std::vector<std::pair<int, int>>{{37, 24}, {1024, 40}, {1152, 96}, {1537, 33}, {2084, 24}}) {
      for (const int rows : {1, 13, 57, 130}) {
        if (rows > 60 && std::string(entry.set->name) == "scalar") continue;
        const quant::IntegerFormat& format = quant::kIntegerFormats[turn++ % quant::kIntegerFormats.size()];
        const ProductCase it(*entry.set, format, 2 * columns, k, rows, random);
        for (const std::string kind : {"silu", "gelu_erf", "gelu_tanh"}) {
          const bool up_first = turn % 2 == 0;
          const QuantizedGate::Gate gate = gate_of(*entry.set, kind);
          const QuantizedGate linear(*entry.set, entry.set->*it.format.product, it.args, gate, up_first);
          INFO(entry.set->name << ", " << format.name << ", " << columns << " x " << k << ", rows " << rows
                               << ", " << kind << (up_first ? ", up first" : ""));
          REQUIRE(linear.blocks() == row_block_count(columns));
          const Codes expected = by_steps(it, gate, up_first);
          REQUIRE(it.fused(linear, columns, {0, linear.blocks()}) == expected);
          REQUIRE(it.fused(linear, columns, every_block(linear.blocks())) == expected);
        }
      }
    }
  }
}

TEST_CASE("a quantized gate keeps no more than 256 KB of floats, however wide its result") {
  std::mt19937 random(14);
  const KernelSet& set = best_set();
  for (const int columns : {16, 512, 1024, 1152, 1537, 4096}) {
    const ProductCase it(set, quant::kIntegerFormats[0], 2 * columns, 8, 1, random);
    REQUIRE(QuantizedGate(set, set.gemm_u8s8, it.args, set.gate_silu, false).own_bytes() <= 256 << 10);
  }
}
