// The small row operations against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
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
