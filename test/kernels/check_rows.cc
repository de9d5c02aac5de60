// LayerNorm and the small row operations against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

enum class Target { separate, x, residual };

void layernorm_case(Context& context, int m, int n, bool residual, bool beta, Target target) {
  if (!context.takes()) return;
  const std::ptrdiff_t ld = n + context.random.integer(0, 3);
  const std::size_t size = (m - 1) * ld + n;
  Guarded<float> gamma(n), bias(n), x(size), r(size), expected(size), actual(size), x2(size), r2(size);
  fill_any(context.random, gamma.data(), n, false);
  fill_any(context.random, bias.data(), n, false);
  for (int i = 0; i < m; ++i) {
    fill_any(context.random, &x[i * ld], n, true);
    fill_any(context.random, &r[i * ld], n, true);
  }
  x2.copy_from(x);
  r2.copy_from(r);
  Guarded<float>& y = target == Target::x ? x : target == Target::residual ? r : expected;
  Guarded<float>& y2 = target == Target::x ? x2 : target == Target::residual ? r2 : actual;
  LayerNormArgs args{x.data(),
                     ld,
                     residual ? r.data() : nullptr,
                     ld,
                     gamma.data(),
                     beta ? bias.data() : nullptr,
                     1e-12F,
                     m,
                     n,
                     y.data(),
                     ld};
  context.reference.layernorm(args);
  args.x = x2.data(), args.residual = residual ? r2.data() : nullptr, args.y = y2.data();
  context.set.layernorm(args);
  context.expect_same(y, y2,
                      "layernorm n=" + std::to_string(n) + (residual ? " residual" : "") +
                          (beta ? " beta" : "") + " target " + std::to_string(static_cast<int>(target)));
}

}  // namespace

void check_layernorm(Context& context) {
  for (int i = 0; i < 1500; ++i) {
    const int n = i < 300 ? i / 3 + 1 : context.random.integer(1, 1100);
    const bool residual = i % 2 == 0;
    const auto target = static_cast<Target>(context.random.integer(0, residual ? 2 : 1));
    layernorm_case(context, context.random.integer(1, 9), n, residual, i % 5 != 0, target);
  }
}

void check_embed_sum(Context& context) {
  for (int n = 1; n <= 100; ++n) {
    constexpr int kRows = 7, kTokens = 5;
    Guarded<float> word(kRows * n), position(kRows * n), type(2 * n);
    for (Guarded<float>* table : {&word, &position, &type}) {
      fill_any(context.random, table->data(), static_cast<int>(table->size()), true);
      table->make_read_only();
    }
    Guarded<std::int32_t> ids(kTokens), positions(kTokens), types(kTokens);
    for (int i = 0; i < kTokens; ++i) {
      ids[i] = context.random.integer(0, kRows - 1), positions[i] = context.random.integer(0, kRows - 1);
      types[i] = context.random.integer(0, 1);
    }
    const std::ptrdiff_t ldy = n + n % 3;
    Guarded<float> expected((kTokens - 1) * ldy + n), actual(expected.size());
    const bool typed = n % 4 != 0;
    for (const auto& [set, y] : {std::pair{&context.reference, &expected}, {&context.set, &actual}}) {
      set->embed_sum(ids.data(), positions.data(), typed ? types.data() : nullptr, word.data(),
                     position.data(), typed ? type.data() : nullptr, kTokens, n, y->data(), ldy);
    }
    context.expect_same(expected, actual, "embed_sum n=" + std::to_string(n));
  }
}

void check_mean_pool(Context& context) {
  for (int i = 0; i < 600; ++i) {
    const int n = i < 200 ? i + 1 : context.random.integer(1, 800), m = context.random.integer(1, 20);
    const std::ptrdiff_t ldx = n + i % 3;
    Guarded<float> x((m - 1) * ldx + n), expected(n), actual(n);
    for (int row = 0; row < m; ++row) fill_any(context.random, &x[row * ldx], n, true);
    context.reference.mean_pool(x.data(), ldx, m, n, expected.data());
    context.set.mean_pool(x.data(), ldx, m, n, actual.data());
    context.expect_same(expected, actual, "mean_pool m=" + std::to_string(m) + " n=" + std::to_string(n));
  }
}

void check_l2_normalize(Context& context) {
  for (int i = 0; i < 1500; ++i) {
    const int n = i < 200 ? i + 1 : context.random.integer(1, 1100);
    Guarded<float> x(n), expected(n), actual(n), blank(n);
    fill_any(context.random, x.data(), n, true);
    actual.copy_from(x);
    context.reference.l2_normalize(x.data(), n, expected.data());
    const bool in_place = i % 2 == 0;
    if (!in_place) actual.copy_from(blank);
    context.set.l2_normalize(in_place ? actual.data() : x.data(), n, actual.data());
    context.expect_same(expected, actual, "l2_normalize n=" + std::to_string(n));
  }
}

}  // namespace nybble::kernels::test
