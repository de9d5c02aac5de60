// Benchmarks of the entries that pass over rows: activations, quantization, norms, embeddings, pools.
#include <cstdio>
#include <vector>

#include "test/kernels/bench.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

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

/// A product of kN × kK and its quantized result: what activation and quantization add to it.
struct Requantization {
  static constexpr int kN = 1536, kK = 384, kBlocks = row_block_count(kN);
  static constexpr int kPanels = kRowBlockDepth / kPanelColumns;  ///< of a block of columns
  int m;
  Floats w{kN * kK}, x, scale{kN, 0.0F}, memory{packed_bytes(kN, kK) / 4 + 16}, c, a, q;
  std::vector<RowScale> rows, out_rows;
  std::vector<RowRange> ranges;
  EpilogueArgs epilogue{};
  GemmArgs product{};

  Requantization(const KernelSet& set, int row_count)
      : m(row_count),
        x(m * kK),
        c(m * kN),
        a(m * kK / 4),
        q(m * kN / 4),
        rows(m),
        out_rows(m * kBlocks),
        ranges(m * kBlocks) {
    auto* pack = reinterpret_cast<std::byte*>(memory.data());
    for (int i = 0; i < kN; ++i) scale.data()[i] = 0.001F;
    for (int p = 0; p < panel_count(kN); ++p)
      set.pack({w.data(), kK, kN, kK, scale.data(), nullptr, nullptr, pack}, p);
    set.quantize_rows_u8(x.data(), kK, m, kK, a.bytes(), kK, rows.data());
    epilogue = {.ranges = ranges.data(), .columns = kN};
    product = {a.bytes(),       kK,       rows.data(), pack,    m,        kN, kK, 0,
               panel_count(kN), c.data(), kN,          nullptr, &epilogue};
  }

  /// By ranges that the epilogue leaves.
  void by_epilogue(const KernelSet& set) {
    GemmArgs args = product;
    args.epilogue = set.gelu_erf_q;
    std::memset(ranges.data(), 0, ranges.size() * sizeof(RowRange));
    for (int b = 0; b < kBlocks; ++b) {
      args.panel_begin = b * kPanels, args.panel_end = args.panel_begin + kPanels;
      set.gemm_u8s8(args);
      set.quantize_ranged_u8({c.data(), kN, m, kN, ranges.data(), b, b + 1, q.bytes(), kN, out_rows.data()});
    }
  }

  /// By a pass over each block of columns.
  void by_rows(const KernelSet& set) {
    GemmArgs args = product;
    for (int b = 0; b < kBlocks; ++b) {
      args.panel_begin = b * kPanels, args.panel_end = args.panel_begin + kPanels;
      set.gemm_u8s8(args);
      set.gelu_quantize_rows_u8({c.data(), kN, m, kN, b, b + 1, q.bytes(), kN, out_rows.data()});
    }
  }
};

void bench_requantization(const KernelSet& set, int m, void (Requantization::*how)(const KernelSet&)) {
  Requantization work(set, m);
  const Timing bare = time_call(set, [&] { set.gemm_u8s8(work.product); });
  const Timing whole = time_call(set, [&] { (work.*how)(set); });
  const double elements = 1.0 * m * Requantization::kN;
  std::printf(
      "  gelu_q, range and codes after %4d x 1536 x 384: %.3f cycles/element, %.1f %% of the product's "
      "%.3f\n",
      m, (whole.cycles - bare.cycles) / elements, 100 * (whole.cycles / bare.cycles - 1),
      bare.cycles / elements);
}

}  // namespace

void bench_quantize_rows_u8(const KernelSet& set) {
  for (const int k : {384, 768, 1536}) {
    constexpr int kRows = 16;
    Floats x(static_cast<std::size_t>(kRows) * k);
    Floats q(static_cast<std::size_t>(kRows) * k / 4);
    std::vector<RowScale> rows(kRows * row_block_count(k));
    const Timing t =
        time_call(set, [&] { set.quantize_rows_u8(x.data(), k, kRows, k, q.bytes(), k, rows.data()); });
    print_per_element(("16 rows of " + std::to_string(k)).c_str(), t, 1.0 * kRows * k);
  }
}

void bench_quantize_ranged_u8(const KernelSet& set) {
  for (const int k : {384, 768, 1536}) {
    constexpr int kRows = 16;
    Floats x(static_cast<std::size_t>(kRows) * k);
    Floats q(static_cast<std::size_t>(kRows) * k / 4);
    std::vector<RowScale> rows(kRows * row_block_count(k));
    std::vector<RowRange> ranges(rows.size());
    for (RowRange& range : ranges) range.high[0] = 0x42000000, range.low[0] = 0xC2000000;  // 32, -32
    const Timing t = time_call(set, [&] {
      set.quantize_ranged_u8(
          {x.data(), k, kRows, k, ranges.data(), 0, row_block_count(k), q.bytes(), k, rows.data()});
    });
    print_per_element("16 rows of " + std::to_string(k), t, 1.0 * kRows * k);
  }
  for (const int m : {6, 12, 24, 48, 128}) bench_requantization(set, m, &Requantization::by_epilogue);
}

void bench_gelu_quantize_rows_u8(const KernelSet& set) {
  for (const int m : {6, 12, 24, 48, 128}) bench_requantization(set, m, &Requantization::by_rows);
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
