// One benchmark an entry. Each prints cycles of the core's clock; products also their share of the peak.
#include <cstdio>
#include <vector>

#include "test/kernels/bench.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

using Gemm = void (*KernelSet::*)(const GemmArgs&) noexcept;

void bench_product(const KernelSet& set, Gemm entry, int row_bits, const PackFormat& format, int m, int n,
                   int k) {
  const int groups = format.group == 0 ? 1 : group_count(k, format);
  Floats w(static_cast<std::size_t>(n) * k), x(static_cast<std::size_t>(m) * k),
      scale(static_cast<std::size_t>(n) * groups), bias(n);
  Floats memory(packed_bytes(n, k, format) / 4 + 16), c(static_cast<std::size_t>(m) * n);
  auto* pack = reinterpret_cast<std::byte*>(memory.data());
  for (int i = 0; i < n * groups; ++i) scale.data()[i] = 3.0F / static_cast<float>(1 << (format.bits - 1));
  for (int p = 0; p < panel_count(n); ++p) {
    set.pack({w.data(), k, n, k, scale.data(), nullptr, bias.data(), pack, format}, p);
  }
  const int lda = padded_depth(k) * row_bits / 8;
  std::vector<std::uint8_t> a(static_cast<std::size_t>(m) * lda);
  std::vector<RowScale> rows(static_cast<std::size_t>(m) * row_block_count(k, format));
  if (row_bits == 8) {
    set.quantize_rows_u8(x.data(), k, m, k, a.data(), lda, rows.data());
  } else {
    set.quantize_rows_u4(x.data(), k, m, k, format.row_block, a.data(), lda, rows.data());
  }
  const GemmArgs args{.a = a.data(),
                      .lda = lda,
                      .rows = rows.data(),
                      .b = pack,
                      .m = m,
                      .n = n,
                      .k = k,
                      .panel_begin = 0,
                      .panel_end = panel_count(n),
                      .c = c.data(),
                      .ldc = n,
                      .epilogue = nullptr,
                      .format = format};
  const Timing t = time_call(set, [&] { (set.*entry)(args); });
  const double products = 1.0 * m * n * k;
  std::printf("  %4d x %4d x %4d g%-3d  %7.1f GMAC/s  %6.1f MAC/cycle  %5.1f %% of the peak of %.1f GMAC/s\n",
              m, n, k, format.group, products / t.seconds * 1e-9, products / t.cycles,
              100 * products / t.seconds / t.multiply_per_second, t.multiply_per_second * 1e-9);
}

void bench_layers(const KernelSet& set, Gemm entry, int row_bits, const PackFormat& format) {
  static constexpr int kLayers[][2] = {{384, 384}, {1152, 384}, {1536, 384}, {384, 1536},
                                       {768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};  // N, K
  for (const auto& layer : kLayers) {
    for (const int m : {1, 4, 16, 64, 128})
      bench_product(set, entry, row_bits, format, m, layer[0], layer[1]);
  }
}

}  // namespace

void bench_gemm_u8s8(const KernelSet& set) { bench_layers(set, &KernelSet::gemm_u8s8, 8, {}); }
void bench_gemm_u8s7(const KernelSet& set) { bench_layers(set, &KernelSet::gemm_u8s7, 8, {.bits = 7}); }
void bench_gemm_u8s6(const KernelSet& set) { bench_layers(set, &KernelSet::gemm_u8s6, 8, {.bits = 6}); }
void bench_gemm_u8s5(const KernelSet& set) {
  for (const int group : {0, 128}) bench_layers(set, &KernelSet::gemm_u8s5, 8, {.bits = 5, .group = group});
}
void bench_gemm_u8s4(const KernelSet& set) {
  for (const int group : {0, 32, 128})
    bench_layers(set, &KernelSet::gemm_u8s4, 8, {.bits = 4, .group = group});
}
void bench_gemm_u4s4(const KernelSet& set) {
  bench_layers(set, &KernelSet::gemm_u4s4, 4, {.bits = 4});
  bench_layers(set, &KernelSet::gemm_u4s4, 4, {.bits = 4, .group = 32, .row_block = 32});
}

void bench_absmax(const KernelSet& set) {
  Floats x(768);
  volatile float keep = 0;
  const Timing t = time_call(set, [&] { keep = set.absmax(x.data(), 768); });
  print_per_element("768 values", t, 768);
}

void bench_quantize_rows_u4(const KernelSet& set) {
  constexpr int kRows = 16, kK = 384;
  Floats x(kRows * kK);
  std::vector<std::uint8_t> q(kRows * kK / 2);
  for (const int row_block : {0, 32}) {
    std::vector<RowScale> rows(kRows * row_block_count(kK, {.bits = 4, .row_block = row_block}));
    const Timing t = time_call(set, [&] {
      set.quantize_rows_u4(x.data(), kK, kRows, kK, row_block, q.data(), kK / 2, rows.data());
    });
    print_per_element(("16 rows of 384, row_block " + std::to_string(row_block)).c_str(), t,
                      1.0 * kRows * kK);
  }
}

namespace {

constexpr int kPackN = 384, kPackK = 384;

struct PackedLayer {
  Floats w{kPackN * kPackK}, scale{kPackN * 12, 0.01F}, memory{packed_bytes(kPackN, kPackK) / 4 + 16};
  std::byte* pack() { return reinterpret_cast<std::byte*>(memory.data()); }
};

void bench_packing(const KernelSet& set, const PackFormat& format, bool back) {
  PackedLayer layer;
  for (int i = 0; i < kPackN * 12; ++i) layer.scale.data()[i] = 0.01F;
  const PackArgs args{layer.w.data(), kPackK,  kPackN,       kPackK, layer.scale.data(),
                      nullptr,        nullptr, layer.pack(), format};
  const auto all = [&] {
    for (int p = 0; p < panel_count(kPackN); ++p) set.pack(args, p);
  };
  all();
  const Timing t = time_call(set, [&] {
    for (int p = 0; p < panel_count(kPackN); ++p) {
      if (back) {
        set.unpack(layer.pack(), kPackN, kPackK, format, p, layer.w.data(), kPackK);
      } else {
        set.pack(args, p);
      }
    }
  });
  const std::string what =
      "384 x 384, " + std::to_string(format.bits) + " bits, group " + std::to_string(format.group);
  print_per_element(what.c_str(), t, kPackN * kPackK);
}

}  // namespace

void bench_pack(const KernelSet& set) {
  for (const PackFormat& format : {PackFormat{}, {.bits = 4}, {.bits = 4, .group = 32}})
    bench_packing(set, format, false);
}
void bench_unpack(const KernelSet& set) {
  for (const PackFormat& format : {PackFormat{}, {.bits = 4}, {.bits = 4, .group = 32}})
    bench_packing(set, format, true);
}

}  // namespace nybble::kernels::test
