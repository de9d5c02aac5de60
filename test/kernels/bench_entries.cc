// One benchmark an entry. Each prints cycles of the core's clock; products also their share of the peak.
#include <cstdio>
#include <vector>

#include "test/kernels/bench.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

void bench_product(const KernelSet& set, int m, int n, int k) {
  Floats w(static_cast<std::size_t>(n) * k), x(static_cast<std::size_t>(m) * k), scale(n), bias(n);
  Floats memory(packed_bytes_s8(n, k) / 4 + 16), c(static_cast<std::size_t>(m) * n);
  auto* pack = reinterpret_cast<std::byte*>(memory.data());
  for (int i = 0; i < n; ++i) scale.data()[i] = 3.0F / 127;
  for (int p = 0; p < panel_count(n); ++p) set.pack_s8(w.data(), k, n, k, scale.data(), bias.data(), p, pack);
  std::vector<std::uint8_t> a(static_cast<std::size_t>(m) * padded_depth(k));
  std::vector<RowScale> rows(static_cast<std::size_t>(m) * row_block_count(k));
  set.quantize_rows_u8(x.data(), k, m, k, a.data(), padded_depth(k), rows.data());
  const GemmArgs args{a.data(), padded_depth(k), rows.data(), pack, m,      n, k,
                      0,        panel_count(n),  c.data(),    n,    nullptr};
  const Timing t = time_call(set, [&] { set.gemm_u8s8(args); });
  const double products = 1.0 * m * n * k;
  std::printf("  %4d x %4d x %4d  %7.1f GMAC/s  %6.1f MAC/cycle  %5.1f %% of the peak of %.1f GMAC/s\n", m, n,
              k, products / t.seconds * 1e-9, products / t.cycles,
              100 * products / t.seconds / t.multiply_per_second, t.multiply_per_second * 1e-9);
}

void bench_attention(const KernelSet& set, int length, int head_dim) {
  const int ld = 36 * head_dim;  // 12 heads of Q, K and V side by side
  Floats qkv(static_cast<std::size_t>(length) * ld), out(static_cast<std::size_t>(length) * 12 * head_dim);
  Floats scratch(attention_scratch_floats(length, head_dim));
  const AttentionArgs args{qkv.data(),
                           qkv.data() + 12 * head_dim,
                           qkv.data() + 24 * head_dim,
                           ld,
                           ld,
                           ld,
                           length,
                           head_dim,
                           0,
                           length,
                           0.125F,
                           out.data(),
                           12 * head_dim,
                           scratch.data()};
  const Timing t = time_call(set, [&] { set.attention_f32(args); });
  const double fmas = 2.0 * length * length * head_dim;
  std::printf("  length %4d head_dim %3d  %8.1f us  %6.1f FMA/cycle  %5.1f %% of the peak of %.1f GFMA/s\n",
              length, head_dim, t.seconds * 1e6, fmas / t.cycles, 100 * fmas / t.seconds / t.fma_per_second,
              t.fma_per_second * 1e-9);
}

}  // namespace

void bench_gemm_u8s8(const KernelSet& set) {
  static constexpr int kLayers[][2] = {{384, 384}, {1152, 384}, {1536, 384}, {384, 1536},
                                       {768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};  // N, K
  for (const auto& layer : kLayers) {
    for (const int m : {1, 4, 16, 64, 128}) bench_product(set, m, layer[0], layer[1]);
  }
}

void bench_absmax(const KernelSet& set) {
  Floats x(768);
  volatile float keep = 0;
  const Timing t = time_call(set, [&] { keep = set.absmax(x.data(), 768); });
  print_per_element("768 values", t, 768);
}

void bench_pack_s8(const KernelSet& set) {
  constexpr int kN = 64, kK = 384;
  Floats w(kN * kK), scale(kN, 0.01F), memory(packed_bytes_s8(kN, kK) / 4 + 16);
  auto* pack = reinterpret_cast<std::byte*>(memory.data());
  const Timing t = time_call(set, [&] { set.pack_s8(w.data(), kK, kN, kK, scale.data(), nullptr, 0, pack); });
  print_per_element("a panel of 64 x 384", t, kN * kK);
}

void bench_attention_f32(const KernelSet& set) {
  for (const int head_dim : {32, 64}) {
    for (const int length : {16, 32, 64, 128, 256, 512}) bench_attention(set, length, head_dim);
  }
}

}  // namespace nybble::kernels::test
