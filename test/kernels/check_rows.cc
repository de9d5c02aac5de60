// The small row operations against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {

void check_linear_f32(Context& context) {
  for (int i = 0; i < 1200; ++i) {
    if (!context.takes()) continue;
    const int m = 1 + i % 13, n = i < 400 ? 1 + i / 2 : context.random.integer(1, 420);
    const int k = context.random.integer(1, 200);
    const int ldx = k + context.random.integer(0, 3), ldy = n + context.random.integer(0, 3);
    Guarded<float> x(m * ldx), w(static_cast<int>(linear_floats(n, k))), bias(n), expected(m * ldy),
        actual(m * ldy);
    const bool specials = i % 7 == 0;
    fill_any(context.random, x.data(), m * ldx, specials);
    fill_any(context.random, w.data(), static_cast<int>(linear_floats(n, k)), specials);
    fill_any(context.random, bias.data(), n, specials);
    const LinearArgs args{x.data(),        ldx, w.data(), i % 3 == 0 ? nullptr : bias.data(), m, n, k,
                          expected.data(), ldy};
    context.reference.linear_f32(args);
    LinearArgs call = args;
    call.y = actual.data();
    context.set.linear_f32(call);
    context.expect_same(
        expected, actual,
        "linear_f32 m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k));
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
