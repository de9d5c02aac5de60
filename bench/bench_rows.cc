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

void bench_silu(EntryBench& bench) { bench_epilogue(bench, &KernelSet::silu); }
void bench_sigmoid(EntryBench& bench) { bench_epilogue(bench, &KernelSet::sigmoid); }
void bench_tanh(EntryBench& bench) { bench_epilogue(bench, &KernelSet::tanh); }

void bench_add_residual(EntryBench& bench) {
  constexpr int kRows = 6, kCols = 64;
  Floats x(kRows * kCols), tile(kRows * kCols), residual(kRows * kCols);
  const kernels::EpilogueArgs args{.residual = residual.data(), .ld_residual = kCols, .columns = kCols};
  bench.time(
      {.what = "a tile of 6 x 64",
       .elements = kRows * kCols,
       .bytes = 12.0 * kRows * kCols,
       .m = kRows,
       .n = kCols},
      {tile.bytes()},
      [&](const KernelSet& set) {
        set.add_residual({tile.data(), kCols, kRows, kCols}, &args);
      },
      {}, [&] { std::memcpy(tile.data(), x.data(), tile.bytes().size()); });
}

namespace {

using Gate = void (*KernelSet::*)(const kernels::GateArgs&) noexcept;

void bench_gate(EntryBench& bench, Gate gate) {
  constexpr int kRows = 6, kN = 1536;
  Floats x(kRows * 2 * kN, 2.0F), out(kRows * kN);
  std::vector<kernels::RowRange> ranges(static_cast<std::size_t>(kRows * kernels::row_block_count(kN)));
  const auto begin = [&] { std::memset(ranges.data(), 0, ranges.size() * sizeof ranges[0]); };
  bench.time(
      {.what = fmt::format("{} rows of {}, ranges", kRows, kN),
       .elements = kRows * kN,
       .bytes = 12.0 * kRows * kN,
       .m = kRows,
       .n = kN},
      {out.bytes(), std::as_writable_bytes(std::span(ranges))},
      [&](const KernelSet& set) {
        (set.*gate)({x.data(), x.data() + kN, 2 * kN, kRows, kN, out.data(), kN, ranges.data()});
      },
      {}, begin);
}

using Norm = void (*KernelSet::*)(const kernels::NormArgs&) noexcept;

/// Rows of 16 stay in L1; those of 96 (590 KB with their codes at 384 columns) in L2.
void bench_norm(EntryBench& bench, Norm norm, int m, int n, bool is_quantized) {
  Floats x(m * n), residual(m * n), gamma(n), beta(n), y(m * n), q(m * n / 4);
  std::vector<kernels::RowScale> rows(static_cast<std::size_t>(m * kernels::row_block_count(n)));
  kernels::NormArgs args{x.data(), n, residual.data(), n, gamma.data(), beta.data(), 1e-12F,
                         m,        n, y.data(),        n};
  std::vector<std::span<std::byte>> outputs{y.bytes()};
  if (is_quantized) {
    args.q = q.codes(), args.ldq = n, args.rows = rows.data();
    outputs.push_back(q.bytes());
    outputs.push_back(std::as_writable_bytes(std::span(rows)));
  }
  bench.time({.what = fmt::format("{} rows of {}, residual{}", m, n, is_quantized ? ", codes" : ""),
              .elements = 1.0 * m * n,
              .bytes = (is_quantized ? 13.0 : 12.0) * m * n,
              .m = m,
              .n = n},
             outputs, [&](const KernelSet& set) { (set.*norm)(args); });
}

void bench_norms(EntryBench& bench, Norm norm) {
  for (const int n : {384, 768, 1024}) {
    for (const bool is_quantized : {false, true}) {
      bench_norm(bench, norm, 16, n, is_quantized);
      bench_norm(bench, norm, 384 * 96 / n, n, is_quantized);
    }
  }
}

}  // namespace

void bench_gate_silu(EntryBench& bench) { bench_gate(bench, &KernelSet::gate_silu); }
void bench_gate_gelu_erf(EntryBench& bench) { bench_gate(bench, &KernelSet::gate_gelu_erf); }
void bench_gate_gelu_tanh(EntryBench& bench) { bench_gate(bench, &KernelSet::gate_gelu_tanh); }
void bench_layernorm(EntryBench& bench) { bench_norms(bench, &KernelSet::layernorm); }
void bench_rmsnorm(EntryBench& bench) { bench_norms(bench, &KernelSet::rmsnorm); }

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

void bench_linear_f32(EntryBench& bench) {
  constexpr struct {
    int m, n, k;
  } kCases[] = {{1, 384, 384}, {6, 384, 384}, {48, 384, 384}, {1, 768, 768}, {48, 768, 768}, {48, 9, 768}};
  for (const auto& each : kCases) {
    const int m = each.m, n = each.n, k = each.k;
    Floats x(m * k), w(kernels::linear_floats(n, k)), bias(n), y(m * n);
    bench.time({.what = fmt::format("{} x {} x {}", m, n, k),
                .elements = 1.0 * m * n,
                .bytes = 4.0 * (m * k + n * k + m * n),
                .products = 1.0 * m * n * k,
                .m = m,
                .n = n},
               {y.bytes()}, [&](const KernelSet& set) {
                 set.linear_f32({x.data(), k, w.data(), bias.data(), m, n, k, y.data(), n});
               });
  }
}

void bench_embed_tables(EntryBench& bench) {
  constexpr int kTokens = 16, kN = 384, kTableRows = 100;
  Floats table(kTableRows * kN), scales(kTableRows), y(kTokens * kN);
  std::vector<std::int8_t> codes(kTableRows * kN);
  std::vector<std::int32_t> ids(kTokens);
  kernels::find_set("scalar").quantize_rows_s8(table.data(), kN, kTableRows, kN, codes.data(), kN,
                                               scales.data());
  for (int i = 0; i < kTokens; ++i) ids[static_cast<std::size_t>(i)] = i * 6;
  const kernels::EmbedTable f32{ids.data(), table.data()},
      s8{ids.data(), nullptr, codes.data(), scales.data()};
  for (const bool is_coded : {false, true}) {
    const kernels::EmbedTable tables[] = {is_coded ? s8 : f32, f32, f32};
    bench.time(
        {.what = fmt::format("{} tokens of {}, {}", kTokens, kN, is_coded ? "s8 + f32 + f32" : "three f32"),
         .elements = kTokens * kN,
         .bytes = (is_coded ? 13.0 : 16.0) * kTokens * kN,
         .m = kTokens,
         .n = kN},
        {y.bytes()}, [&](const KernelSet& set) {
          set.embed_tables({tables, 3, kTokens, kN, y.data(), kN});
        });
  }
}

namespace {

using Pool = void (*KernelSet::*)(const float*, std::ptrdiff_t, int, int, float*) noexcept;

void bench_pool(EntryBench& bench, Pool pool, int tokens) {
  constexpr int kN = 384;
  Floats x(tokens * kN), y(kN);
  bench.time({.what = fmt::format("{} tokens of {}", tokens, kN),
              .elements = 1.0 * tokens * kN,
              .bytes = 4.0 * (tokens + 1) * kN,
              .m = tokens,
              .n = kN},
             {y.bytes()}, [&](const KernelSet& set) { (set.*pool)(x.data(), kN, tokens, kN, y.data()); });
}

}  // namespace

void bench_mean_pool(EntryBench& bench) { bench_pool(bench, &KernelSet::mean_pool, 128); }
void bench_max_pool(EntryBench& bench) { bench_pool(bench, &KernelSet::max_pool, 128); }
void bench_cls_pool(EntryBench& bench) { bench_pool(bench, &KernelSet::cls_pool, 1); }

void bench_l2_normalize(EntryBench& bench) {
  constexpr int kN = 384;
  Floats x(kN), y(kN);
  bench.time({.what = fmt::format("{} values", kN), .elements = kN, .bytes = 8.0 * kN, .m = 1, .n = kN},
             {y.bytes()}, [&](const KernelSet& set) { set.l2_normalize(x.data(), kN, y.data()); });
}

}  // namespace nybble::bench
