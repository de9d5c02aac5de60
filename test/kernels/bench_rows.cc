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
void bench_silu(const KernelSet& set) { bench_activation(set, set.silu); }
void bench_sigmoid(const KernelSet& set) { bench_activation(set, set.sigmoid); }
void bench_tanh(const KernelSet& set) { bench_activation(set, set.tanh); }

void bench_add_residual(const KernelSet& set) {
  Floats tile(6 * 64), residual(6 * 64);
  const EpilogueArgs args{.residual = residual.data(), .ld_residual = 64, .columns = 64};
  const Timing t = time_call(set, [&] { set.add_residual({tile.data(), 64, 6, 64}, &args); });
  print_per_element("6 x 64 tile", t, 6 * 64);
}

namespace {

void bench_gate(const KernelSet& set, void (*gate)(const GateArgs&) noexcept) {
  constexpr int kRows = 6, kN = 1536;
  Floats x(kRows * 2 * kN, 2.0F), out(kRows * kN);
  std::vector<RowRange> ranges(kRows * row_block_count(kN));
  const Timing t = time_call(set, [&] {
    gate({x.data(), x.data() + kN, 2 * kN, kRows, kN, out.data(), kN, ranges.data()});
  });
  print_per_element("6 rows of 1536, ranges", t, kRows * kN);
}

}  // namespace

void bench_gate_silu(const KernelSet& set) { bench_gate(set, set.gate_silu); }
void bench_gate_gelu_erf(const KernelSet& set) { bench_gate(set, set.gate_gelu_erf); }
void bench_gate_gelu_tanh(const KernelSet& set) { bench_gate(set, set.gate_gelu_tanh); }

namespace {

using Norm = void (*)(const NormArgs&) noexcept;

/// Rows of 16 stay in L1; those of 96 (590 KB with their codes at 384 columns) in L2.
void bench_norm(const KernelSet& set, Norm norm, int m, int n, bool quantized) {
  Floats x(m * n), r(m * n), gamma(n), beta(n), y(m * n), q(m * n / 4);
  std::vector<RowScale> rows(m * row_block_count(n));
  NormArgs args{x.data(), n, r.data(), n, gamma.data(), beta.data(), 1e-12F, m, n, y.data(), n};
  if (quantized) args.q = q.bytes(), args.ldq = n, args.rows = rows.data();
  const Timing t = time_call(set, [&] { norm(args); });
  const char* more = quantized ? ", residual, codes" : ", residual";
  print_per_element(std::to_string(m) + " rows of " + std::to_string(n) + more, t, 1.0 * m * n);
}

void bench_norms(const KernelSet& set, Norm norm) {
  for (const int n : {384, 768, 1024}) {
    for (const bool quantized : {false, true}) {
      bench_norm(set, norm, 16, n, quantized);
      bench_norm(set, norm, 384 * 96 / n, n, quantized);
    }
  }
}

}  // namespace

void bench_layernorm(const KernelSet& set) { bench_norms(set, set.layernorm); }
void bench_rmsnorm(const KernelSet& set) { bench_norms(set, set.rmsnorm); }

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

void bench_embed_tables(const KernelSet& set) {
  constexpr int kTokens = 16, kN = 384, kRows = 100;
  Floats table(kRows * kN), scales(kRows), y(kTokens * kN);
  std::vector<std::int8_t> codes(kRows * kN);
  set.quantize_rows_s8(table.data(), kN, kRows, kN, codes.data(), kN, scales.data());
  std::vector<std::int32_t> ids(kTokens);
  for (int i = 0; i < kTokens; ++i) ids[i] = i * 6;
  const EmbedTable f32{ids.data(), table.data()}, s8{ids.data(), nullptr, codes.data(), scales.data()};
  for (const bool coded : {false, true}) {
    const EmbedTable tables[] = {coded ? s8 : f32, f32, f32};
    const Timing t = time_call(set, [&] { set.embed_tables({tables, 3, kTokens, kN, y.data(), kN}); });
    print_per_element(coded ? "16 tokens of 384, s8 + f32 + f32" : "16 tokens of 384, three of f32", t,
                      kTokens * kN);
  }
}

void bench_quantize_rows_s8(const KernelSet& set) {
  Floats x(16 * 384), scales(16);
  std::vector<std::int8_t> codes(16 * 384);
  const Timing t =
      time_call(set, [&] { set.quantize_rows_s8(x.data(), 384, 16, 384, codes.data(), 384, scales.data()); });
  print_per_element("16 rows of 384", t, 16 * 384);
}

namespace {

void bench_pool(const KernelSet& set, void (*pool)(const float*, std::ptrdiff_t, int, int, float*) noexcept,
                int tokens) {
  constexpr int kN = 384;
  Floats x(tokens * kN), y(kN);
  const Timing t = time_call(set, [&] { pool(x.data(), kN, tokens, kN, y.data()); });
  print_per_element(std::to_string(tokens) + " tokens of 384", t, tokens * kN);
}

}  // namespace

void bench_mean_pool(const KernelSet& set) { bench_pool(set, set.mean_pool, 128); }
void bench_max_pool(const KernelSet& set) { bench_pool(set, set.max_pool, 128); }
void bench_cls_pool(const KernelSet& set) { bench_pool(set, set.cls_pool, 1); }

void bench_l2_normalize(const KernelSet& set) {
  Floats x(384), y(384);
  const Timing t = time_call(set, [&] { set.l2_normalize(x.data(), 384, y.data()); });
  print_per_element("384 values", t, 384);
}

}  // namespace nybble::kernels::test
