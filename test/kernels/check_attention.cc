// attention_f32 against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

/// Q, K and V side by side in a row, as the merged projection leaves them.
/// One of Q, K, V: [length][ld].
struct Operand {
  Operand(Context& context, int length, int head_dim, bool specials)
      : ld(head_dim + context.random.integer(0, 40)), values((length - 1) * ld + head_dim) {
    for (int i = 0; i < length; ++i) {
      if (specials)
        fill_any(context.random, &values[i * ld], head_dim, context.random.integer(0, 9) == 0);
      else
        fill_row(context.random, RowKind::normal, &values[i * ld], head_dim);
    }
    values.make_read_only();
  }

  std::ptrdiff_t ld;
  Guarded<float> values;
};

void attention_case(Context& context, int length, int head_dim, bool specials) {
  if (!context.takes()) return;
  const std::ptrdiff_t ldo = head_dim + context.random.integer(0, 5);
  Operand q(context, length, head_dim, specials), k(context, length, head_dim, specials),
      v(context, length, head_dim, specials);
  Guarded<float> expected((length - 1) * ldo + head_dim), actual(expected.size());
  const std::size_t scratch_floats = attention_scratch_floats(length, head_dim);
  Guarded<float> scratch(scratch_floats), reference_scratch(scratch_floats);
  const int begin = context.random.integer(0, 2) == 0 ? context.random.integer(0, length - 1) : 0;
  const int end = context.random.integer(0, 2) == 0 ? context.random.integer(begin + 1, length) : length;
  AttentionArgs args{q.values.data(),
                     k.values.data(),
                     v.values.data(),
                     q.ld,
                     k.ld,
                     v.ld,
                     length,
                     head_dim,
                     begin,
                     end,
                     0.176F,
                     expected.data(),
                     ldo,
                     reference_scratch.data()};
  context.reference.attention_f32(args);
  args.out = actual.data(), args.scratch = scratch.data();
  context.set.attention_f32(args);
  context.expect_same(expected, actual,
                      "attention_f32 length=" + std::to_string(length) +
                          " head_dim=" + std::to_string(head_dim) + " rows " + std::to_string(begin) + ".." +
                          std::to_string(end));
}

}  // namespace

void check_attention_f32(Context& context) {
  for (int length = 1; length <= 70; ++length) {
    for (const int head_dim : {32, 64}) attention_case(context, length, head_dim, length % 2 == 0);
  }
  for (int head_dim = 1; head_dim <= 100; ++head_dim) {
    attention_case(context, context.random.integer(1, 40), head_dim, head_dim % 2 == 0);
  }
  for (const int length : {127, 128, 200, 257}) attention_case(context, length, 32, false);
  for (int i = 0; i < 300; ++i)
    attention_case(context, context.random.integer(1, 60), context.random.integer(1, 70), true);
}

}  // namespace nybble::kernels::test
