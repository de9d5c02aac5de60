// LayerNorm and RMSNorm against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

using Norm = void (*KernelSet::*)(const NormArgs&) noexcept;

enum class Target { separate, x, residual };

struct NormCase {
  int m, n;
  bool residual, beta, sum, quantized;
  Target target;
};

/// The buffers of one run of a norm.
struct NormBuffers {
  std::ptrdiff_t ld, ldq;
  Guarded<float> x, residual, y, sum;
  Guarded<std::uint8_t> q;
  Guarded<RowScale> rows;

  NormBuffers(const NormCase& of, std::ptrdiff_t stride)
      : ld(stride),
        ldq(padded_depth(of.n) + 3),
        x((of.m - 1) * ld + of.n),
        residual(x.size()),
        y(x.size()),
        sum(x.size()),
        q((of.m - 1) * ldq + padded_depth(of.n)),
        rows(of.m * row_block_count(of.n)) {}

  NormArgs args(const NormCase& of, const float* gamma, const float* beta) {
    float* target = of.target == Target::x          ? x.data()
                    : of.target == Target::residual ? residual.data()
                                                    : y.data();
    NormArgs args{x.data(), ld,    of.residual ? residual.data() : nullptr,
                  ld,       gamma, of.beta ? beta : nullptr,
                  1e-12F,   of.m,  of.n,
                  target,   ld};
    if (of.sum) args.sum = sum.data(), args.lds = ld;
    if (of.quantized) args.q = q.data(), args.ldq = ldq, args.rows = rows.data();
    return args;
  }
};

void norm_case(Context& context, Norm which, const NormCase& of) {
  if (!context.takes()) return;
  Guarded<float> gamma(of.n), beta(of.n);
  fill_any(context.random, gamma.data(), of.n, false);
  fill_any(context.random, beta.data(), of.n, false);
  const std::ptrdiff_t ld = of.n + context.random.integer(0, 3);
  NormBuffers expected(of, ld), actual(of, ld);
  for (int i = 0; i < of.m; ++i) {
    fill_any(context.random, &expected.x[i * ld], of.n, true);
    fill_any(context.random, &expected.residual[i * ld], of.n, true);
  }
  actual.x.copy_from(expected.x);
  actual.residual.copy_from(expected.residual);
  (context.reference.*which)(expected.args(of, gamma.data(), beta.data()));
  (context.set.*which)(actual.args(of, gamma.data(), beta.data()));
  const std::string what = " of norm m=" + std::to_string(of.m) + " n=" + std::to_string(of.n) +
                           (of.residual ? " residual" : "") + (of.beta ? " beta" : "") +
                           (of.sum ? " sum" : "") + (of.quantized ? " quantized" : "") + " target " +
                           std::to_string(static_cast<int>(of.target));
  context.expect_same(expected.x, actual.x, "x" + what);
  context.expect_same(expected.residual, actual.residual, "residual" + what);
  context.expect_same(expected.y, actual.y, "y" + what);
  context.expect_same(expected.q, actual.q, "codes" + what);
  context.expect_same(expected.rows, actual.rows, "rows" + what);
  context.expect_same(expected.sum, actual.sum, "sum" + what);
}

void check_norm(Context& context, Norm which) {
  for (int i = 0; i < 1500; ++i) {
    const bool residual = i % 2 == 0;
    NormCase of{};
    of.n = i < 300 ? i / 3 + 1 : context.random.integer(1, i % 10 == 0 ? 2100 : 700);
    of.m = context.random.integer(1, i % 7 == 0 ? 20 : 9);
    of.residual = residual, of.beta = i % 5 != 0, of.sum = context.random.integer(0, 2) == 0;
    of.quantized = context.random.integer(0, 1) == 0;
    of.target = static_cast<Target>(context.random.integer(0, residual ? 2 : 1));
    norm_case(context, which, of);
  }
}

}  // namespace

void check_layernorm(Context& context) { check_norm(context, &KernelSet::layernorm); }
void check_rmsnorm(Context& context) { check_norm(context, &KernelSet::rmsnorm); }

}  // namespace nybble::kernels::test
