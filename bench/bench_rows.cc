// Epilogues on a tile, and what works on rows.
#include <fmt/format.h>

#include <algorithm>

#include "bench/entry_bench.h"
#include "kernels/registry.h"

namespace nybble::bench {
namespace {

using kernels::KernelSet;
using kernels::TileEpilogue;

/// On fresh values each time, since repeated in place they would run to 0; the copy is subtracted.
void bench_epilogue(EntryBench& bench, TileEpilogue KernelSet::*epilogue) {
  constexpr int kRows = 6, kCols = 64;
  Floats x(kRows * kCols, 2.0F), tile(kRows * kCols);
  const auto copy = [&] { std::memcpy(tile.data(), x.data(), tile.bytes().size()); };
  bench.time({.what = "a tile of 6 x 64",
              .elements = kRows * kCols,
              .bytes = 8.0 * kRows * kCols,
              .m = kRows,
              .n = kCols},
             {tile.bytes()},
             [&](const KernelSet& set) {
               copy();
               (set.*epilogue)({tile.data(), kCols, kRows, kCols}, nullptr);
             },
             {.call = copy, .name = ""});
}

}  // namespace

void bench_gelu_erf(EntryBench& bench) { bench_epilogue(bench, &KernelSet::gelu_erf); }
void bench_gelu_erf_q(EntryBench& bench) { bench_epilogue(bench, &KernelSet::gelu_erf_q); }
void bench_gelu_tanh(EntryBench& bench) { bench_epilogue(bench, &KernelSet::gelu_tanh); }
void bench_relu(EntryBench& bench) { bench_epilogue(bench, &KernelSet::relu); }

void bench_layernorm(EntryBench& bench) {
  for (const int n : {384, 768}) {
    constexpr int kRows = 16;
    Floats x(kRows * n), residual(kRows * n), gamma(n), beta(n), y(kRows * n);
    const kernels::LayerNormArgs args{x.data(), n, residual.data(), n, gamma.data(), beta.data(), 1e-12F,
                                      kRows,    n, y.data(),        n};
    bench.time({.what = fmt::format("{} rows of {}, residual", kRows, n),
                .elements = 1.0 * kRows * n,
                .bytes = 12.0 * kRows * n,
                .m = kRows,
                .n = n},
               {y.bytes()}, [&](const KernelSet& set) { set.layernorm(args); });
  }
}

namespace {

/// A product of kN x kK and its quantized result: what activation and quantization add to it.
struct Requantization {
  static constexpr int kN = 1536, kK = 384, kBlocks = kernels::row_block_count(kN);
  static constexpr int kPanels = kernels::kRowBlockDepth / kernels::kPanelColumns;  ///< of a block of columns
  int m;
  Floats w{kN * kK}, x, scale{kN}, pack{kernels::packed_bytes(kN, kK) / 4}, c, a, q;
  std::vector<kernels::RowScale> rows, out_rows;
  std::vector<kernels::RowRange> ranges;
  kernels::EpilogueArgs epilogue{};
  kernels::GemmArgs product{};

  explicit Requantization(int row_count)
      : m(row_count),
        x(m * kK),
        c(m * kN),
        a(m * kK / 4),
        q(m * kN / 4),
        rows(static_cast<std::size_t>(m)),
        out_rows(static_cast<std::size_t>(m * kBlocks)),
        ranges(static_cast<std::size_t>(m * kBlocks)) {
    const KernelSet& set = kernels::find_set("scalar");
    auto* packed = reinterpret_cast<std::byte*>(pack.data());
    std::fill_n(scale.data(), kN, 0.001F);
    for (int p = 0; p < kernels::panel_count(kN); ++p) {
      set.pack({.w = w.data(),
                .ldw = kK,
                .n = kN,
                .k = kK,
                .scale = scale.data(),
                .zero = nullptr,
                .bias = nullptr,
                .pack = packed},
               p);
    }
    set.quantize_rows_u8(x.data(), kK, m, kK, a.codes(), kK, rows.data());
    epilogue = {.ranges = ranges.data(), .columns = kN};
    product = {.a = a.codes(),
               .lda = kK,
               .rows = rows.data(),
               .b = packed,
               .m = m,
               .n = kN,
               .k = kK,
               .panel_begin = 0,
               .panel_end = kernels::panel_count(kN),
               .c = c.data(),
               .ldc = kN,
               .epilogue = nullptr,
               .epilogue_args = &epilogue};
  }

  /// Calls block(args, b) for the panels of each block of columns.
  template <class Block>
  void each_block(Block block) const {
    kernels::GemmArgs args = product;
    for (int b = 0; b < kBlocks; ++b) {
      args.panel_begin = b * kPanels, args.panel_end = args.panel_begin + kPanels;
      block(args, b);
    }
  }
  /// By ranges that the epilogue leaves.
  void by_epilogue(const KernelSet& set) {
    std::memset(ranges.data(), 0, ranges.size() * sizeof ranges[0]);
    each_block([&](kernels::GemmArgs args, int b) {
      args.epilogue = set.gelu_erf_q;
      set.gemm_u8s8(args);
      set.quantize_ranged_u8({c.data(), kN, m, kN, ranges.data(), b, b + 1, q.codes(), kN, out_rows.data()});
    });
  }
  /// By a pass over each block of columns.
  void by_rows(const KernelSet& set) {
    each_block([&](const kernels::GemmArgs& args, int b) {
      set.gemm_u8s8(args);
      set.gelu_quantize_rows_u8({c.data(), kN, m, kN, b, b + 1, q.codes(), kN, out_rows.data()});
    });
  }
};

void bench_requantization(EntryBench& bench, void (Requantization::*how)(const KernelSet&)) {
  for (const int m : {6, 12, 24, 48, 128}) {
    Requantization work(m);
    const double elements = 1.0 * m * Requantization::kN;
    bench.time({.what = fmt::format("gelu_q after {} x {} x {}", m, work.kN, work.kK),
                .elements = elements,
                .bytes = 5 * elements,
                .m = m,
                .n = work.kN},
               {work.q.bytes(), std::as_writable_bytes(std::span(work.out_rows))},
               [&](const KernelSet& set) { (work.*how)(set); },
               {.call = [&] { bench.set().gemm_u8s8(work.product); }, .name = "the product"});
  }
}

}  // namespace

void bench_quantize_ranged_u8(EntryBench& bench) {
  for (const int k : {384, 768, 1536}) {
    constexpr int kRows = 16;
    Floats x(kRows * k), q(kRows * k / 4);
    const int blocks = kernels::row_block_count(k);
    std::vector<kernels::RowScale> rows(static_cast<std::size_t>(kRows * blocks));
    std::vector<kernels::RowRange> ranges(rows.size());
    for (auto& range : ranges) range.high[0] = 0x42000000, range.low[0] = 0xC2000000;  // 32, -32
    bench.time({.what = fmt::format("{} rows of {}", kRows, k),
                .elements = 1.0 * kRows * k,
                .bytes = 5.0 * kRows * k,
                .m = kRows,
                .n = k},
               {q.bytes(), std::as_writable_bytes(std::span(rows))}, [&](const KernelSet& set) {
                 set.quantize_ranged_u8(
                     {x.data(), k, kRows, k, ranges.data(), 0, blocks, q.codes(), k, rows.data()});
               });
  }
  bench_requantization(bench, &Requantization::by_epilogue);
}

void bench_gelu_quantize_rows_u8(EntryBench& bench) { bench_requantization(bench, &Requantization::by_rows); }

void bench_embed_sum(EntryBench& bench) {
  constexpr int kTokens = 16, kN = 384, kTableRows = 100;
  Floats table(kTableRows * kN), y(kTokens * kN);
  std::vector<std::int32_t> ids(kTokens), zeros(kTokens);
  for (int i = 0; i < kTokens; ++i) ids[static_cast<std::size_t>(i)] = i * 6;
  bench.time({.what = fmt::format("{} tokens of {}", kTokens, kN),
              .elements = kTokens * kN,
              .bytes = 16.0 * kTokens * kN,
              .m = kTokens,
              .n = kN},
             {y.bytes()}, [&](const KernelSet& set) {
               set.embed_sum(ids.data(), ids.data(), zeros.data(), table.data(), table.data(), table.data(),
                             kTokens, kN, y.data(), kN);
             });
}

void bench_mean_pool(EntryBench& bench) {
  constexpr int kTokens = 128, kN = 384;
  Floats x(kTokens * kN), y(kN);
  bench.time({.what = fmt::format("{} tokens of {}", kTokens, kN),
              .elements = kTokens * kN,
              .bytes = 4.0 * (kTokens + 1) * kN,
              .m = kTokens,
              .n = kN},
             {y.bytes()}, [&](const KernelSet& set) { set.mean_pool(x.data(), kN, kTokens, kN, y.data()); });
}

void bench_l2_normalize(EntryBench& bench) {
  constexpr int kN = 384;
  Floats x(kN), y(kN);
  bench.time({.what = fmt::format("{} values", kN), .elements = kN, .bytes = 8.0 * kN, .m = 1, .n = kN},
             {y.bytes()}, [&](const KernelSet& set) { set.l2_normalize(x.data(), kN, y.data()); });
}

}  // namespace nybble::bench
