// gemm_u8s8 against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

enum class Codes { random, extreme, most_negative, zeros, one_hot };

struct Shape {
  int m, n, k;
  Codes codes;
  bool with_epilogue;
};

std::string describe(const Shape& s) {
  return "gemm_u8s8 m=" + std::to_string(s.m) + " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k) +
         " codes=" + std::to_string(static_cast<int>(s.codes)) + (s.with_epilogue ? " relu" : "");
}

int weight_code(Random& random, Codes codes, std::size_t i) {
  switch (codes) {
    case Codes::extreme:
      return -127;
    case Codes::most_negative:
      return -128;
    case Codes::zeros:
      return 0;
    case Codes::one_hot:
      return i % 97 == 0 ? 127 : 0;
    default:
      return random.integer(-128, 127);
  }
}

/// A pack of weights of the given codes, made by the reference's pack_s8.
void fill_pack(Context& context, const Shape& s, Guarded<std::byte>& pack) {
  Guarded<float> w(static_cast<std::size_t>(s.n) * s.k), scale(s.n), bias(s.n);
  for (int n = 0; n < s.n; ++n) {
    scale[n] = 0x1p-9F * static_cast<float>(context.random.integer(1, 255));
    if (context.random.integer(0, 15) == 0) scale[n] = 0x1p40F;  // with a huge row: infinity · 0
    bias[n] = context.random.normal();
    for (int k = 0; k < s.k; ++k) {
      const std::size_t i = static_cast<std::size_t>(n) * s.k + k;
      w[i] = static_cast<float>(weight_code(context.random, s.codes, i)) * scale[n];
    }
  }
  for (int p = 0; p < panel_count(s.n); ++p) {
    context.reference.pack_s8(w.data(), s.k, s.n, s.k, scale.data(), bias.data(), p, pack.data());
  }
  pack.make_read_only();
}

void fill_activations(Random& random, const Shape& s, std::ptrdiff_t lda, Guarded<std::uint8_t>& a) {
  for (int m = 0; m < s.m; ++m) {
    for (int k = 0; k < padded_depth(s.k); ++k) {
      const int code =
          s.codes == Codes::extreme || s.codes == Codes::most_negative ? 255 : random.integer(0, 255);
      a[m * lda + k] = static_cast<std::uint8_t>(k < s.k ? code : 128);
    }
  }
  a.make_read_only();
}

void fill_rows(Random& random, Guarded<RowScale>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = {random.normal() * 0.01F, random.integer(1, 255)};
    if (random.integer(0, 20) == 0) rows[i] = {0.0F, 128};
    if (random.integer(0, 20) == 0) rows[i] = {0x1p100F, 7};
    if (random.integer(0, 20) == 0) rows[i] = {__builtin_nanf(""), 128};
  }
  rows.make_read_only();
}

void check_shape(Context& context, const Shape& s) {
  if (!context.takes()) return;
  const std::ptrdiff_t lda = padded_depth(s.k) + context.random.integer(0, 3);
  const std::ptrdiff_t ldc = padded_columns(s.n) + context.random.integer(0, 3);
  Guarded<std::byte> pack(packed_bytes_s8(s.n, s.k));
  Guarded<std::uint8_t> a((s.m - 1) * lda + padded_depth(s.k));
  Guarded<RowScale> rows(static_cast<std::size_t>(s.m) * row_block_count(s.k));
  const std::size_t size = (s.m - 1) * ldc + padded_columns(s.n);
  Guarded<float> expected(size), actual(size);
  fill_pack(context, s, pack);
  fill_activations(context.random, s, lda, a);
  fill_rows(context.random, rows);
  GemmArgs args{a.data(),
                lda,
                rows.data(),
                pack.data(),
                s.m,
                s.n,
                s.k,
                0,
                panel_count(s.n),
                expected.data(),
                ldc,
                s.with_epilogue ? context.reference.relu : nullptr};
  context.reference.gemm_u8s8(args);
  args.c = actual.data();
  args.epilogue = s.with_epilogue ? context.set.relu : nullptr;
  // In two calls, as two tasks that share the columns would do it.
  const int split = context.random.integer(0, panel_count(s.n));
  args.panel_end = split;
  if (split > 0) context.set.gemm_u8s8(args);
  args.panel_begin = split, args.panel_end = panel_count(s.n);
  if (split < panel_count(s.n)) context.set.gemm_u8s8(args);
  context.expect_same(expected, actual, describe(s));
}

}  // namespace

void check_gemm_u8s8(Context& context) {
  // Every row count up to two of the largest tile and one, every tail of columns, quads and K blocks.
  for (const int k : {1, 2, 3, 4, 5, 7, 63, 64, 65, 130, 384, 1024, 1025, 1536, 1540}) {
    for (const int n : {1, 16, 17, 33, 48, 64, 65, 100, 128, 176}) {
      for (int m = 1; m <= 17; ++m) check_shape(context, {m, n, k, Codes::random, (m + n) % 2 == 0});
    }
  }
  for (const Codes codes : {Codes::extreme, Codes::most_negative, Codes::zeros, Codes::one_hot}) {
    for (const int k : {4, 384, 1023, 1024, 3072, 4097}) {
      for (const int m : {1, 5, 6, 13}) check_shape(context, {m, 80, k, codes, false});
    }
  }
  for (int i = 0; i < 200; ++i) {
    check_shape(context, {context.random.integer(1, 40), context.random.integer(1, 200),
                          context.random.integer(1, 600), Codes::random, i % 2 == 0});
  }
}

}  // namespace nybble::kernels::test
