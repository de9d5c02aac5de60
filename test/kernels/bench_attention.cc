// Softmax, rotary embedding and attention beside the peaks of this set.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "test/kernels/bench.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

/// Floats at a 64-byte boundary.
class Values {
 public:
  explicit Values(std::size_t n) : memory_(n + 16) {
    Random random(1);
    for (float& x : memory_) x = random.normal();
  }
  float* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64 / 4;
  }

 private:
  std::vector<float> memory_;
};

/// 384 KB: beyond L1, inside L2. Scores run to shares and shares to nearly equal shares: the same work.
void bench_softmax_rows(const KernelSet& set, const char* what, int n, int window, bool biased) {
  const int m = 98304 / n;
  Values x(static_cast<std::size_t>(m) * n), bias(static_cast<std::size_t>(m) * n);
  SoftmaxArgs args{x.data(), n, m, n};
  args.length = n, args.window = window;
  if (biased) args.bias = bias.data(), args.ld_bias = n;
  const Timing t = time_call(set, [&] { set.softmax(args); });
  std::printf("  %4d rows of %4d%-20s %7.3f cycles/element\n", m, n, what, t.cycles / (1.0 * m * n));
}

void bench_rotary_rows(const KernelSet& set, int head_dim, bool interleaved) {
  const int m = 16, heads = 12, half = head_dim / 2;
  Values x(static_cast<std::size_t>(m) * heads * head_dim), cos(m * half), sin(m * half);
  for (int i = 0; i < m * half; ++i) cos.data()[i] = 0.8F, sin.data()[i] = 0.6F;  // keeps lengths
  const RotaryArgs args{x.data(),    heads * head_dim, m, heads,      head_dim,  head_dim,
                        interleaved, nullptr,          0, cos.data(), sin.data()};
  const Timing t = time_call(set, [&] { set.rotary(args); });
  std::printf("  16 rows of 12 heads of %3d, %-11s %7.3f cycles/element\n", head_dim,
              interleaved ? "interleaved" : "halves", t.cycles / (1.0 * m * heads * head_dim));
}

/// One head of twelve, whose Q, K and V stand side by side in a row.
struct Head {
  Head(int length, int head_dim, int window)
      : ld(36 * head_dim),
        qkv(static_cast<std::size_t>(length) * ld),
        out(static_cast<std::size_t>(length) * 12 * head_dim),
        scratch(std::max(attention_scratch_floats(length, head_dim, window),
                         attention_s8_scratch_bytes(length, head_dim, window) / sizeof(float))),
        args{qkv.data(),
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
             scratch.data(),
             window} {}

  int ld;
  Values qkv, out, scratch;
  AttentionArgs args;
};

double products_of(const AttentionArgs& args) {
  const double seen = args.window < 0 ? args.length : 2.0 * args.window + 1;
  return 2.0 * args.length * args.head_dim * seen;
}

void print_shape(const AttentionArgs& args) {
  std::printf("  length %4d head_dim %3d", args.length, args.head_dim);
  if (args.window >= 0) std::printf(" window %d", args.window);
}

void bench_attention(const KernelSet& set, int length, int head_dim, int window) {
  const Head head(length, head_dim, window);
  const Timing t = time_call(set, [&] { set.attention_f32(head.args); });
  const double fmas = products_of(head.args);
  print_shape(head.args);
  std::printf("  %8.1f us  %6.1f FMA/cycle  %5.1f %% of the peak of %.1f GFMA/s\n", t.seconds * 1e6,
              fmas / t.cycles, 100 * fmas / t.seconds / t.fma_per_second, t.fma_per_second * 1e-9);
}

/// Beside attention_f32, timed in turns.
void bench_integer_attention(const KernelSet& set, int length, int head_dim, int window) {
  const Head head(length, head_dim, window);
  Timing best = time_call(set, [&] { set.attention_s8(head.args); });
  Timing floats = time_call(set, [&] { set.attention_f32(head.args); });
  for (int round = 0; round < 2; ++round) {
    const Timing t = time_call(set, [&] { set.attention_s8(head.args); });
    const Timing f = time_call(set, [&] { set.attention_f32(head.args); });
    if (t.seconds < best.seconds) best = t;
    if (f.seconds < floats.seconds) floats = f;
  }
  const double products = products_of(head.args);
  print_shape(head.args);
  std::printf("  %8.1f us  %6.1f MAC/cycle  %5.1f %% of the peak of %.1f GMAC/s  %5.2f x attention_f32\n",
              best.seconds * 1e6, products / best.cycles,
              100 * products / best.seconds / best.multiply_per_second, best.multiply_per_second * 1e-9,
              floats.seconds / best.seconds);
}

}  // namespace

void bench_softmax(const KernelSet& set) {
  for (const int n : {32, 128, 512}) {
    bench_softmax_rows(set, "", n, -1, false);
    bench_softmax_rows(set, ", biased", n, -1, true);
  }
  bench_softmax_rows(set, ", window 64", 512, 64, false);
}

void bench_rotary(const KernelSet& set) {
  for (const int head_dim : {32, 64, 128}) {
    for (const bool interleaved : {false, true}) bench_rotary_rows(set, head_dim, interleaved);
  }
}

void bench_attention_f32(const KernelSet& set) {
  for (const int head_dim : {32, 64}) {
    for (const int length : {16, 32, 64, 128, 256, 512}) bench_attention(set, length, head_dim, -1);
  }
  bench_attention(set, 2048, 64, 64);
}

void bench_attention_s8(const KernelSet& set) {
  for (const int head_dim : {32, 64}) {
    for (const int length : {16, 32, 64, 128, 129, 256, 512})
      bench_integer_attention(set, length, head_dim, -1);
  }
  bench_integer_attention(set, 2048, 64, 64);
}

}  // namespace nybble::kernels::test
