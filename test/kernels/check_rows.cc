// The small row operations against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {

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
