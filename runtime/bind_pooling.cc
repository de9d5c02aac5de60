// From the rows of a sequence to one, and what is done to that.
#include "nybble/error.h"
#include "runtime/step_binder.h"

namespace nybble::runtime {

void StepBinder::pool() {
  const std::string& mode = graph::text(node_, "mode");
  step_.description.op += "+" + mode;
  if (mode == "cls" || mode == "last") return pool_one(mode == "last");
  if (mode == "mean") return pool_all("mean_pool", binding_.kernels.mean_pool);
  if (mode == "max") return pool_all("max_pool", binding_.kernels.max_pool);
  throw Error(ErrorCode::unsupported_model, "%" + value(node_.output).name + ": no kernel pools by " + mode);
}

void StepBinder::pool_all(const char* name, decltype(KernelSet::mean_pool) entry) {
  named(name);
  step_.run = [run = entry, x = in(0), out = out(), n = width()](const Task& task) {
    for_each_sequence(task, x, out,
                      [&](const float* from, int length, float* to) { run(from, stride(x), length, n, to); });
  };
}

void StepBinder::pool_one(bool last) {
  step_.description.kernel = "copy";
  step_.run = [last, x = in(0), out = out(), n = width()](const Task& task) {
    for_each_sequence(task, x, out, [&](const float* from, int length, float* to) {
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
