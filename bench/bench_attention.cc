// Softmax, rotary embedding and attention.
#include <fmt/format.h>

#include <algorithm>

#include "bench/entry_bench.h"

namespace nybble::bench {
namespace {

using kernels::KernelSet;

/// 384 KB: beyond L1, inside L2. In place again and again: scores run to shares and shares to nearly equal
/// shares, which is the same work.
void bench_softmax_rows(EntryBench& bench, const char* how, int n, int window, bool is_biased) {
  const int m = 98304 / n;
  Floats scores(m * n), x(m * n), bias(m * n);
  kernels::SoftmaxArgs args{x.data(), n, m, n};
  args.length = n, args.window = window;
  if (is_biased) args.bias = bias.data(), args.ld_bias = n;
  const double elements = 1.0 * m * n;
  bench.time(
      {.what = fmt::format("{} rows of {}{}", m, n, how),
       .elements = elements,
       .bytes = (is_biased ? 12 : 8) * elements,
       .m = m,
       .n = n},
      {x.bytes()}, [&](const KernelSet& set) { set.softmax(args); }, {},
      [&] { std::memcpy(x.data(), scores.data(), x.bytes().size()); });
}

void bench_rotary_rows(EntryBench& bench, int head_dim, bool is_interleaved) {
  constexpr int kRows = 16, kHeads = 12;
  const int half = head_dim / 2, width = kHeads * head_dim;
  Floats source(kRows * width), x(kRows * width), cos(kRows * half), sin(kRows * half);
  for (int i = 0; i < kRows * half; ++i) cos.data()[i] = 0.8F, sin.data()[i] = 0.6F;  // keeps lengths
  const kernels::RotaryArgs args{x.data(),       width,   kRows, kHeads,     head_dim,  head_dim,
                                 is_interleaved, nullptr, 0,     cos.data(), sin.data()};
  const double elements = 1.0 * kRows * width;
  bench.time(
      {.what = fmt::format("{} rows, heads of {}, {}", kRows, head_dim, is_interleaved ? "pairs" : "halves"),
       .elements = elements,
       .bytes = 8 * elements,
       .m = kRows,
       .n = width},
      {x.bytes()}, [&](const KernelSet& set) { set.rotary(args); }, {},
      [&] { std::memcpy(x.data(), source.data(), x.bytes().size()); });
}

/// 64 × 64 biases of a distance: around 0 every one has a column of its own, further away two or three share
/// it.
void bench_gather(EntryBench& bench, bool by_key, int shared) {
  constexpr int kSize = 64, kColumns = 160;
  Floats products(kSize * kColumns), out(kSize * kSize);
  std::vector<std::int32_t> columns(2 * kSize + 16);
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<std::int32_t>(i) / shared;
  const kernels::RelativeArgs args{
      products.data(), kColumns, columns.data() + kSize, by_key, !by_key, kSize, kSize, out.data(), kSize};
  const double elements = 1.0 * kSize * kSize;
  bench.time(
      {.what = fmt::format("64 x 64 of {}, {} a column", by_key ? "keys" : "queries", shared),
       .elements = elements,
       .bytes = (by_key ? 8 : 12) * elements,
       .m = kSize,
       .n = kSize},
      {out.bytes()}, [&](const KernelSet& set) { set.gather_relative(args); }, {},
      [&] { std::memset(out.data(), 0, out.bytes().size()); });
}

using Attention = void (*KernelSet::*)(const kernels::AttentionArgs&) noexcept;

/// One head of twelve, whose Q, K and V stand side by side in a row.
void bench_head(EntryBench& bench, Attention entry, int length, int head_dim, int window) {
  constexpr int kHeads = 12;
  const int width = kHeads * head_dim, ld = 3 * width;
  Floats qkv(length * ld), out(length * width);
  Floats scratch(std::max(kernels::attention_scratch_floats(length, head_dim, window),
                          kernels::attention_s8_scratch_bytes(length, head_dim, window) / sizeof(float)));
  kernels::AttentionArgs args{};
  args.q = qkv.data(), args.k = qkv.data() + width, args.v = qkv.data() + 2 * width;
  args.ldq = args.ldk = args.ldv = ld;
  args.length = length, args.head_dim = head_dim;
  args.row_begin = 0, args.row_end = length;
  args.scale = 0.125F;
  args.out = out.data(), args.ldo = width;
  args.scratch = scratch.data();
  args.window = window;
  const double keys = window < 0 ? length : 2.0 * window + 1, values = 1.0 * length * head_dim;
  const std::string seen = window < 0 ? "" : fmt::format(", window {}", window);
  bench.time({.what = fmt::format("{} tokens, head of {}{}", length, head_dim, seen),
              .elements = length * keys,
              .bytes = 16.0 * values,
              .products = 2 * keys * values,
              .are_integers = entry == &KernelSet::attention_s8,
              .m = length,
              .n = head_dim},
             {out.bytes()}, [&](const KernelSet& set) { (set.*entry)(args); });
}

void bench_heads(EntryBench& bench, Attention entry) {
  for (const int head_dim : {32, 64}) {
    for (const int length : {16, 32, 64, 128, 256, 512}) bench_head(bench, entry, length, head_dim, -1);
  }
  bench_head(bench, entry, 2048, 64, 64);
}

}  // namespace

void bench_softmax(EntryBench& bench) {
  for (const int n : {32, 128, 512}) {
    bench_softmax_rows(bench, "", n, -1, false);
    bench_softmax_rows(bench, ", biased", n, -1, true);
  }
  bench_softmax_rows(bench, ", window 64", 512, 64, false);
}

void bench_gather_relative(EntryBench& bench) {
  for (const bool by_key : {false, true}) {
    for (const int shared : {1, 3}) bench_gather(bench, by_key, shared);
  }
}

void bench_rotary(EntryBench& bench) {
  for (const int head_dim : {32, 64, 128}) {
    for (const bool is_interleaved : {false, true}) bench_rotary_rows(bench, head_dim, is_interleaved);
  }
}

void bench_attention_f32(EntryBench& bench) { bench_heads(bench, &KernelSet::attention_f32); }
void bench_attention_s8(EntryBench& bench) { bench_heads(bench, &KernelSet::attention_s8); }

}  // namespace nybble::bench
