// One benchmark an entry. Each prints cycles of the core's clock; products also their share of the peak.
#include <cstdio>
#include <vector>

#include "test/kernels/bench.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

/// Floats at a 64-byte boundary.
class Floats {
 public:
  explicit Floats(std::size_t n, float spread = 1.0F) : memory_(n + 16) {
    Random random(1);
    for (float& x : memory_) x = random.normal() * spread;
  }
  float* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64 / 4;
  }

 private:
  std::vector<float> memory_;
};

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

void print_per_element(const char* what, const Timing& t, double elements) {
  std::printf("  %-34s %7.3f cycles/element  %6.2f GB/s of FP32\n", what, t.cycles / elements,
              elements * 4e-9 / t.seconds);
}

void bench_activation(const KernelSet& set, TileEpilogue activation) {
  constexpr int kRows = 6, kCols = 64;
  Floats x(kRows * kCols, 2.0F), tile(kRows * kCols);
  const Timing copy = time_call(set, [&] { std::memcpy(tile.data(), x.data(), kRows * kCols * 4); });
  Timing t = time_call(set, [&] {
    std::memcpy(tile.data(), x.data(), kRows * kCols * 4);  // fresh values: repeated in place they run to 0
    activation({tile.data(), kCols, kRows, kCols}, nullptr);
  });
  t.seconds -= copy.seconds, t.cycles -= copy.cycles;
  print_per_element("6 x 64 tile", t, kRows * kCols);
}

}  // namespace

void bench_gemm_u8s8(const KernelSet& set) {
  static constexpr int kLayers[][2] = {{384, 384}, {1152, 384}, {1536, 384}, {384, 1536},
                                       {768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};  // N, K
  for (const auto& layer : kLayers) {
    for (const int m : {1, 4, 16, 64, 128}) bench_product(set, m, layer[0], layer[1]);
  }
}

void bench_quantize_rows_u8(const KernelSet& set) {
  for (const int k : {384, 768, 1536}) {
    constexpr int kRows = 16;
    Floats x(static_cast<std::size_t>(kRows) * k);
    std::vector<std::uint8_t> q(static_cast<std::size_t>(kRows) * k);
    std::vector<RowScale> rows(kRows * row_block_count(k));
    const Timing t =
        time_call(set, [&] { set.quantize_rows_u8(x.data(), k, kRows, k, q.data(), k, rows.data()); });
    print_per_element(("16 rows of " + std::to_string(k)).c_str(), t, 1.0 * kRows * k);
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

void bench_gelu_erf(const KernelSet& set) { bench_activation(set, set.gelu_erf); }
void bench_gelu_erf_q(const KernelSet& set) { bench_activation(set, set.gelu_erf_q); }
void bench_gelu_tanh(const KernelSet& set) { bench_activation(set, set.gelu_tanh); }
void bench_relu(const KernelSet& set) { bench_activation(set, set.relu); }

void bench_layernorm(const KernelSet& set) {
  for (const int n : {384, 768}) {
    constexpr int kRows = 16;
    Floats x(static_cast<std::size_t>(kRows) * n), r(static_cast<std::size_t>(kRows) * n), gamma(n), beta(n);
    Floats y(static_cast<std::size_t>(kRows) * n);
    const LayerNormArgs args{x.data(), n, r.data(), n, gamma.data(), beta.data(), 1e-12F,
                             kRows,    n, y.data(), n};
    const Timing t = time_call(set, [&] { set.layernorm(args); });
    print_per_element(("16 rows of " + std::to_string(n) + ", residual").c_str(), t, 1.0 * kRows * n);
  }
}

void bench_embed_sum(const KernelSet& set) {
  constexpr int kTokens = 16, kN = 384, kRows = 100;
  Floats table(kRows * kN), y(kTokens * kN);
  std::vector<std::int32_t> ids(kTokens), zeros(kTokens);
  for (int i = 0; i < kTokens; ++i) ids[i] = i * 6;
  const Timing t = time_call(set, [&] {
    set.embed_sum(ids.data(), ids.data(), zeros.data(), table.data(), table.data(), table.data(), kTokens, kN,
                  y.data(), kN);
  });
  print_per_element("16 tokens of 384", t, kTokens * kN);
}

void bench_mean_pool(const KernelSet& set) {
  constexpr int kTokens = 128, kN = 384;
  Floats x(kTokens * kN), y(kN);
  const Timing t = time_call(set, [&] { set.mean_pool(x.data(), kN, kTokens, kN, y.data()); });
  print_per_element("128 tokens of 384", t, kTokens * kN);
}

void bench_l2_normalize(const KernelSet& set) {
  Floats x(384), y(384);
  const Timing t = time_call(set, [&] { set.l2_normalize(x.data(), 384, y.data()); });
  print_per_element("384 values", t, 384);
}

}  // namespace nybble::kernels::test
