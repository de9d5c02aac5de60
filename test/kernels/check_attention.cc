// attention_f32 against the scalar set.
#include <algorithm>
#include <limits>
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

/// What an operand holds: normal values; rows that broke something among them; or 30 and -30 alone, a sign a
/// row, all or one or half of them positive: every code and many sums are as large as they can be.
enum class Content { normal, specials, extreme };

/// One of Q, K, V: [length][ld].
struct Operand {
  Operand(Context& context, int length, int head_dim, Content content)
      : ld(head_dim + context.random.integer(0, 40)), values((length - 1) * ld + head_dim) {
    Random& random = context.random;
    const int mode = random.integer(0, 2), one = random.integer(0, length - 1);
    for (int i = 0; i < length; ++i) {
      float* row = &values[i * ld];
      if (content == Content::specials) {
        fill_any(random, row, head_dim, random.integer(0, 9) == 0);
      } else if (content == Content::normal) {
        fill_row(random, RowKind::normal, row, head_dim);
      } else {
        const bool positive = mode == 0 || (mode == 1 ? i == one : random.integer(0, 1) == 0);
        std::fill_n(row, head_dim, positive ? 30.0F : -30.0F);
      }
    }
    values.make_read_only();
  }

  std::ptrdiff_t ld;
  Guarded<float> values;
};

/// Additive biases [length][ld]: ordinary ones, rows of -infinity, and -infinity here and there.
struct Bias {
  Bias(Context& context, int length, bool specials)
      : ld(length + context.random.integer(0, 20)), values((length - 1) * ld + length) {
    for (int i = 0; i < length; ++i) {
      float* row = &values[i * ld];
      fill_any(context.random, row, length, specials && context.random.integer(0, 9) == 0);
      const int kind = specials ? context.random.integer(0, 5) : 5;
      for (int j = 0; j < length; ++j) {
        if (kind == 0 || (kind <= 2 && context.random.integer(0, 1) == 0)) {
          row[j] = -std::numeric_limits<float>::infinity();
        }
      }
    }
    values.make_read_only();
  }

  std::ptrdiff_t ld;
  Guarded<float> values;
};

using AttentionFunction = void (*)(const AttentionArgs&) noexcept;

/// What a case varies; the rest is random.
struct AttentionCase {
  int length, head_dim;
  bool specials = false;
  int window = -1;
  bool biased = false;
  bool extreme = false;
};

std::string text_of(const AttentionCase& c, const AttentionArgs& args) {
  return "length=" + std::to_string(c.length) + " head_dim=" + std::to_string(c.head_dim) +
         " window=" + std::to_string(c.window) + (c.biased ? " biased" : "") + " rows " +
         std::to_string(args.row_begin) + ".." + std::to_string(args.row_end);
}

/// The set's rows against the reference's, which computes all rows in one call: how a call is split must not
/// matter. What stands around the rows must stay.
void attention_case(Context& context, AttentionFunction KernelSet::*entry, std::size_t scratch_floats,
                    const AttentionCase& c) {
  if (!context.takes()) return;
  Random& random = context.random;
  const std::ptrdiff_t ldo = c.head_dim + random.integer(0, 5);
  const Content content = c.extreme ? Content::extreme : c.specials ? Content::specials : Content::normal;
  Operand q(context, c.length, c.head_dim, content), k(context, c.length, c.head_dim, content),
      v(context, c.length, c.head_dim, content);
  const Bias bias(context, c.biased ? c.length : 1, c.specials);
  Guarded<float> expected((c.length - 1) * ldo + c.head_dim), actual(expected.size());
  Guarded<float> scratch(scratch_floats), reference_scratch(scratch_floats);
  AttentionArgs args{q.values.data(),
                     k.values.data(),
                     v.values.data(),
                     q.ld,
                     k.ld,
                     v.ld,
                     c.length,
                     c.head_dim,
                     0,
                     c.length,
                     0.176F,
                     expected.data(),
                     ldo,
                     reference_scratch.data(),
                     c.window};
  if (c.biased) args.bias = bias.values.data(), args.ld_bias = bias.ld;
  (context.reference.*entry)(args);
  args.row_begin = random.integer(0, 2) == 0 ? random.integer(0, c.length - 1) : 0;
  args.row_end = random.integer(0, 2) == 0 ? random.integer(args.row_begin + 1, c.length) : c.length;
  for (std::ptrdiff_t row = 0; row < c.length; ++row) {  // the rows not asked for keep what they held
    if (row >= args.row_begin && row < args.row_end) continue;
    std::memset(expected.data() + row * ldo, 0xA5, static_cast<std::size_t>(c.head_dim) * sizeof(float));
  }
  args.out = actual.data(), args.scratch = scratch.data();
  (context.set.*entry)(args);
  context.expect_same(expected, actual, text_of(c, args));
}

}  // namespace

void check_attention_f32(Context& context) {
  const auto check = [&](const AttentionCase& c) {
    attention_case(context, &KernelSet::attention_f32,
                   attention_scratch_floats(c.length, c.head_dim, c.window), c);
  };
  Random& random = context.random;
  for (int length = 1; length <= 70; ++length) {
    for (const int head_dim : {32, 64}) {
      check({length, head_dim, length % 2 == 0});
      check({length, head_dim, length % 2 == 0, random.integer(0, length), length % 3 == 0});
    }
  }
  for (int head_dim = 1; head_dim <= 100; ++head_dim) {
    check({random.integer(1, 40), head_dim, head_dim % 2 == 0});
  }
  for (const int length : {127, 128, 200, 257}) {
    check({length, 32});
    check({length, 32, false, -1, true});
    for (const int window : {0, 1, 7, 16, 64, 100}) check({length, 32, false, window, false});
  }
  for (int i = 0; i < 300; ++i) check({random.integer(1, 60), random.integer(1, 70), true});
  for (int i = 0; i < 600; ++i) {
    check({random.integer(1, 90), random.integer(1, 70), true, random.integer(-1, 40), i % 2 == 0});
  }
}

void check_attention_s8(Context& context) {
  const auto check = [&](const AttentionCase& c) {
    attention_case(context, &KernelSet::attention_s8,
                   attention_s8_scratch_bytes(c.length, c.head_dim, c.window) / sizeof(float), c);
  };
  Random& random = context.random;
  for (int length = 1; length <= 70; ++length) {
    for (const int head_dim : {32, 64}) {
      check({length, head_dim, length % 2 == 0});
      check({length, head_dim, length % 2 == 0, random.integer(0, length), length % 3 == 0});
    }
  }
  for (int head_dim = 1; head_dim <= 70; ++head_dim) {
    check({random.integer(1, 40), head_dim, head_dim % 2 == 0});
    check({random.integer(129, 200), head_dim, head_dim % 2 == 0});
  }
  for (const int head_dim : {80, 96, 128, 256}) check({random.integer(1, 300), head_dim});
  for (const int length : {15, 16, 17, 127, 129, 144, 200, 257}) {  // the 16-bit form begins at 17
    check({length, 32});
    check({length, 32, false, -1, true});
    for (const int window : {0, 1, 7, 8, 16, 64, 100}) check({length, 32, false, window, false});
  }
  for (const int length : {512, 513, 1024, 1100}) check({length, 16});  // sums go on in a double after 512
  check({1200, 8, false, 300, true});
  for (int i = 0; i < 20; ++i) {
    check({random.integer(1, 16), random.integer(1, 200), false, -1, false, true});
    check({random.integer(17, 128), random.integer(1, 200), false, -1, false, true});
    check({random.integer(500, 1300), random.integer(1, 16), false, i % 2 == 0 ? -1 : 300, false, true});
  }
  check({5, 5000, false, -1, false, true});
  for (int i = 0; i < 300; ++i) check({random.integer(1, 60), random.integer(1, 70), true});
  for (int i = 0; i < 600; ++i) {
    check({random.integer(1, 90), random.integer(1, 70), true, random.integer(-1, 40), i % 2 == 0});
  }
  for (int i = 0; i < 100; ++i) {
    check({random.integer(129, 300), random.integer(1, 40), true, random.integer(-1, 100), i % 2 == 0});
  }
}

}  // namespace nybble::kernels::test
