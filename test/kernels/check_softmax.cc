// softmax, rotary and the gather of relative positions against the scalar set.
#include <limits>
#include <string>
#include <vector>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A row of scores: ordinary ones, rows that broke something, -infinity here and there.
void fill_scores(Random& random, float* x, int n, bool specials) {
  fill_any(random, x, n, specials && random.integer(0, 3) == 0);
  if (!specials) return;
  const int kind = random.integer(0, 5);
  for (int i = 0; i < n; ++i) {
    if (kind == 0 || (kind == 1 && random.integer(0, 2) == 0)) x[i] = -kInfinity;
    if (kind == 2) x[i] *= 50.0F;
  }
}

struct SoftmaxCase {
  int m, n;
  bool specials;
};

void softmax_case(Context& context, const SoftmaxCase& c) {
  if (!context.takes()) return;
  Random& random = context.random;
  const std::ptrdiff_t ld = c.n + random.integer(0, 20), ld_bias = c.n + random.integer(0, 20);
  Guarded<float> expected((c.m - 1) * ld + c.n), actual(expected.size()), bias((c.m - 1) * ld_bias + c.n);
  Guarded<std::int32_t> lengths(static_cast<std::size_t>(c.m));
  for (int r = 0; r < c.m; ++r) {
    fill_scores(random, &expected[r * ld], c.n, c.specials);
    fill_scores(random, &bias[r * ld_bias], c.n, c.specials && random.integer(0, 1) == 0);
    lengths[r] = random.integer(0, c.n);
  }
  actual.copy_from(expected);
  bias.make_read_only(), lengths.make_read_only();
  SoftmaxArgs args{expected.data(), ld, c.m, c.n};
  args.length = random.integer(0, 2) == 0 ? random.integer(0, c.n) : c.n;
  if (random.integer(0, 2) == 0) args.lengths = lengths.data();
  if (random.integer(0, 1) == 0) {
    args.window = random.integer(0, 9) == 0 ? std::numeric_limits<int>::max() : random.integer(0, c.n);
    args.first_position =
        random.integer(0, 9) == 0 ? std::numeric_limits<int>::max() : random.integer(0, c.n);
  }
  if (random.integer(0, 1) == 0) args.bias = bias.data(), args.ld_bias = ld_bias;
  context.reference.softmax(args);
  args.x = actual.data();
  context.set.softmax(args);
  context.expect_same(expected, actual,
                      "softmax m=" + std::to_string(c.m) + " n=" + std::to_string(c.n) + " window " +
                          std::to_string(args.window) + (args.bias != nullptr ? " biased" : ""));
}

struct RotaryCase {
  int m, heads, head_dim, rotary_dim;
  bool interleaved, specials;
};

void rotary_case(Context& context, const RotaryCase& c) {
  if (!context.takes()) return;
  Random& random = context.random;
  constexpr int kPositions = 20;
  const int half = c.rotary_dim / 2, width = c.heads * c.head_dim;
  const std::ptrdiff_t ld = width + random.integer(0, 20);
  Guarded<float> expected((c.m - 1) * ld + width), actual(expected.size());
  Guarded<float> cos(static_cast<std::size_t>(kPositions) * half), sin(cos.size());
  Guarded<std::int32_t> positions(static_cast<std::size_t>(c.m));
  for (int r = 0; r < c.m; ++r) {
    fill_any(random, &expected[r * ld], width, c.specials);
    positions[r] = random.integer(0, kPositions - 1);
  }
  for (int p = 0; p < kPositions && half > 0; ++p) {
    fill_any(random, &cos[p * half], half, c.specials && random.integer(0, 9) == 0);
    fill_any(random, &sin[p * half], half, c.specials && random.integer(0, 9) == 0);
  }
  actual.copy_from(expected);
  cos.make_read_only(), sin.make_read_only(), positions.make_read_only();
  RotaryArgs args{expected.data(), ld,         c.m,
                  c.heads,         c.head_dim, c.rotary_dim,
                  c.interleaved,   nullptr,    random.integer(0, kPositions - c.m),
                  cos.data(),      sin.data()};
  if (random.integer(0, 1) == 0) args.positions = positions.data();
  context.reference.rotary(args);
  args.x = actual.data();
  context.set.rotary(args);
  context.expect_same(expected, actual,
                      "rotary head_dim=" + std::to_string(c.head_dim) + " rotary_dim=" +
                          std::to_string(c.rotary_dim) + (c.interleaved ? " interleaved" : " halves"));
}

}  // namespace

void check_gather_relative(Context& context) {
  for (int i = 0; i < 1500; ++i) {
    if (!context.takes()) continue;
    Random& random = context.random;
    const int rows = random.integer(1, 70), keys = random.integer(1, 70), distances = rows + keys + 15;
    const bool by_key = i % 2 == 0;
    Guarded<std::int32_t> columns(static_cast<std::size_t>(distances));
    const int steps = random.integer(0, 3);  // 0: all equal; 1: one each; more: some shared, some left out
    for (int c = 0, column = random.integer(0, 5); c < distances; ++c) {
      columns[c] = column;
      column += steps > 1 ? random.integer(0, steps) : steps;
    }
    const std::ptrdiff_t ld = columns[rows + keys - 2] + 16, ldo = keys + random.integer(0, 9);
    const std::ptrdiff_t count = by_key ? keys : rows;
    Guarded<float> products(static_cast<std::size_t>(count * ld)), expected((rows - 1) * ldo + keys),
        actual(expected.size());
    fill_any(random, products.data(), static_cast<int>(count * ld), i % 5 == 0);
    fill_any(random, expected.data(), static_cast<int>(expected.size()), i % 5 == 0);
    actual.copy_from(expected);
    columns.make_read_only(), products.make_read_only();
    RelativeArgs args{
        products.data(), ld, columns.data() + (by_key ? keys : rows) - 1, by_key, i % 3 == 0, rows, keys,
        expected.data(), ldo};
    context.reference.gather_relative(args);
    args.out = actual.data();
    context.set.gather_relative(args);
    context.expect_same(expected, actual,
                        "gather_relative rows=" + std::to_string(rows) + " keys=" + std::to_string(keys) +
                            (by_key ? " by key" : " by query") + " steps " + std::to_string(steps));
  }
}

void check_softmax(Context& context) {
  for (int n = 1; n <= 130; ++n) {
    for (int i = 0; i < 8; ++i) softmax_case(context, {context.random.integer(1, 20), n, i % 2 == 0});
  }
  for (const int n : {255, 512, 1000}) softmax_case(context, {9, n, false});
  for (int i = 0; i < 2000; ++i)
    softmax_case(context, {context.random.integer(1, 10), context.random.integer(1, 80), true});
}

void check_rotary(Context& context) {
  for (int head_dim = 1; head_dim <= 70; ++head_dim) {
    for (const bool interleaved : {false, true}) {
      const int part = context.random.integer(0, head_dim / 2) * 2;
      rotary_case(context, {3, 2, head_dim, head_dim / 2 * 2, interleaved, false});
      rotary_case(context, {context.random.integer(1, 20), 3, head_dim, part, interleaved, true});
    }
  }
  for (const int head_dim : {96, 128, 192}) {
    for (const bool interleaved : {false, true})
      rotary_case(context, {5, 4, head_dim, head_dim, interleaved, false});
  }
}

}  // namespace nybble::kernels::test
