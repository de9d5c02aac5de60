#include "bench/products.h"

#include <algorithm>
#include <cmath>

namespace nybble::bench {
namespace {

using kernels::KernelSet;

constexpr auto kWords = Multiplier::words, kBytes = Multiplier::bytes;

constexpr Product kProducts[] = {
    {"gemm_u8s8", "gemm_u8s8", &KernelSet::gemm_u8s8, 8, {.bits = 8}, kWords},
    {"gemm_u8s7", "gemm_u8s7", &KernelSet::gemm_u8s7, 8, {.bits = 7}, kBytes},
    {"gemm_u8s6", "gemm_u8s6", &KernelSet::gemm_u8s6, 8, {.bits = 6}, kBytes},
    {"gemm_u8s5", "gemm_u8s5", &KernelSet::gemm_u8s5, 8, {.bits = 5}, kBytes},
    {"gemm_u8s5/g32", "gemm_u8s5", &KernelSet::gemm_u8s5, 8, {.bits = 5, .group = 32}, kBytes},
    {"gemm_u8s5/g64", "gemm_u8s5", &KernelSet::gemm_u8s5, 8, {.bits = 5, .group = 64}, kBytes},
    {"gemm_u8s5/g128", "gemm_u8s5", &KernelSet::gemm_u8s5, 8, {.bits = 5, .group = 128}, kBytes},
    {"gemm_u8s4", "gemm_u8s4", &KernelSet::gemm_u8s4, 8, {.bits = 4}, kBytes},
    {"gemm_u8s4/g32", "gemm_u8s4", &KernelSet::gemm_u8s4, 8, {.bits = 4, .group = 32}, kBytes},
    {"gemm_u8s4/g64", "gemm_u8s4", &KernelSet::gemm_u8s4, 8, {.bits = 4, .group = 64}, kBytes},
    {"gemm_u8s4/g128", "gemm_u8s4", &KernelSet::gemm_u8s4, 8, {.bits = 4, .group = 128}, kBytes},
    {"gemm_u4s4", "gemm_u4s4", &KernelSet::gemm_u4s4, 4, {.bits = 4}, kBytes},
    {"gemm_u4s4/g32",
     "gemm_u4s4",
     &KernelSet::gemm_u4s4,
     4,
     {.bits = 4, .group = 32, .row_block = 32},
     kBytes},
    {"gemm_u4s4/g64",
     "gemm_u4s4",
     &KernelSet::gemm_u4s4,
     4,
     {.bits = 4, .group = 64, .row_block = 64},
     kBytes},
    {"gemm_u4s4/g128",
     "gemm_u4s4",
     &KernelSet::gemm_u4s4,
     4,
     {.bits = 4, .group = 128, .row_block = 128},
     kBytes},
};

std::size_t size(int count) { return static_cast<std::size_t>(count); }

/// A scale each channel or group: the largest weight has the largest code that both signs have.
std::vector<float> scales_of(const kernels::PackFormat& format, std::span<const float> w, int n, int k) {
  const int depth = format.group == 0 ? k : format.group;
  const auto largest = static_cast<float>((1 << (format.bits - 1)) - 1);
  std::vector<float> scales;
  for (int channel = 0; channel < n; ++channel) {
    for (int begin = 0; begin < k; begin += depth) {
      const auto part = w.subspan(size(channel) * size(k) + size(begin), size(std::min(depth, k - begin)));
      float most = 0;
      for (const float value : part) most = std::max(most, std::fabs(value));
      scales.push_back(most / largest);
    }
  }
  return scales;
}

}  // namespace

std::span<const Product> products() { return kProducts; }

void pack_weights(const Product& product, const KernelSet& set, std::span<const float> w,
                  std::span<const float> bias, int n, int k, std::byte* pack) {
  const std::vector<float> scales = scales_of(product.format, w, n, k);
  const auto zero = static_cast<std::int8_t>(kernels::middle_code(product.format) + 1);
  const std::vector<std::int8_t> zeros(product.format.group == 0 ? 0 : scales.size(), zero);
  const kernels::PackArgs args{.w = w.data(),
                               .ldw = k,
                               .n = n,
                               .k = k,
                               .scale = scales.data(),
                               .zero = zeros.empty() ? nullptr : zeros.data(),
                               .bias = bias.data(),
                               .pack = pack,
                               .format = product.format};
  for (int panel = 0; panel < kernels::panel_count(n); ++panel) set.pack(args, panel);
}

QuantizedRows::QuantizedRows(const Product& product, const KernelSet& set, std::span<const float> x, int m,
                             int k)
    : row_bytes(size(kernels::padded_depth(k) * product.row_bits / 8)),
      scales_per_row(size(kernels::row_block_count(k, product.format))),
      codes(size(m) * row_bytes),
      scales(size(m) * scales_per_row) {
  const auto ld = static_cast<std::ptrdiff_t>(row_bytes);
  if (product.row_bits == 8) {
    set.quantize_rows_u8(x.data(), k, m, k, codes.data(), ld, scales.data());
  } else {
    set.quantize_rows_u4(x.data(), k, m, k, product.format.row_block, codes.data(), ld, scales.data());
  }
}

}  // namespace nybble::bench
