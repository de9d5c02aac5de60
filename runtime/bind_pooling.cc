// From the rows of a sequence to one, and what is done to that.
#include <cmath>
#include <cstdint>

#include "runtime/step_binder.h"

namespace nybble::runtime {
namespace {

/// Σ x / √n as the mean times √n: one rounding more, in an order that is mean_pool's on every instruction
/// set.
void scale_to_sqrt_len(int length, int n, float* y) {
  const float factor = std::sqrt(static_cast<float>(length));
  for (int i = 0; i < n; ++i) y[i] *= factor;
}

/// Σ i·x / Σ i from +0, token by token, a product and a sum at a time. `first` is the first token's i.
void weighted_mean_pool(const float* x, std::ptrdiff_t ldx, int length, int first, int n, float* y) {
  std::fill_n(y, n, 0.0F);
  for (int token = 0; token < length; ++token, x += ldx) {
    const auto weight = static_cast<float>(first + token);
    for (int i = 0; i < n; ++i) y[i] += weight * x[i];
  }
  const std::int64_t least = first, greatest = least + length - 1;
  const auto weights = static_cast<float>((least + greatest) * length / 2);
  for (int i = 0; i < n; ++i) y[i] /= weights;
}

}  // namespace

void StepBinder::pool() {
  const std::string& mode = graph::text(node_, "mode");
  step_.description.op += "+" + mode;
  if (mode == "cls" || mode == "last") return pool_one(mode == "last");
  if (mode == "max") return pool_all("max_pool", binding_.kernels.max_pool);
  if (mode == "weighted_mean") return pool_weighted();
  pool_all("mean_pool", binding_.kernels.mean_pool, mode == "mean_sqrt_len");
}

void StepBinder::pool_all(const char* name, decltype(KernelSet::mean_pool) entry, bool sqrt_len) {
  named(name);
  step_.run = [run = entry, sqrt_len, skips = skips_prompt(), x = in(0), out = out(),
               n = width()](const Task& task) {
    for_each_sequence(task, x, out, skips, [&](const float* from, int, int length, float* to) {
      run(from, stride(x), length, n, to);
      if (sqrt_len) scale_to_sqrt_len(length, n, to);
    });
  };
}

void StepBinder::pool_weighted() {
  step_.description.kernel = "weighted_mean_pool";
  step_.run = [skips = skips_prompt(), x = in(0), out = out(), n = width()](const Task& task) {
    for_each_sequence(task, x, out, skips, [&](const float* from, int skipped, int length, float* to) {
      weighted_mean_pool(from, stride(x), length, skipped + 1, n, to);
    });
  };
}

void StepBinder::pool_one(bool last) {
  step_.description.kernel = "copy";
  step_.run = [last, skips = skips_prompt(), x = in(0), out = out(), n = width()](const Task& task) {
    for_each_sequence(task, x, out, skips, [&](const float* from, int, int length, float* to) {
      std::copy_n(from + (last ? length - 1 : 0) * stride(x), n, to);
    });
  };
}

void StepBinder::l2_normalize() {
  named("l2_normalize");
  step_.run = [run = binding_.kernels.l2_normalize, x = in(0), out = out(), n = width()](const Task& task) {
    for_each_row(task, x, out, [&](const float* from, float* to) { run(from, n, to); });
  };
}

}  // namespace nybble::runtime
