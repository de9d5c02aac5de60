// Who looks on while a call runs: `nybble profile`.
#pragma once

#include <chrono>
#include <cstddef>

#include "runtime/plan.h"

namespace nybble::runtime {

/// When something ran, on the thread that reports it.
struct TimeSpan {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start, stop;
};

/// Told what a call did, by the thread that did it, right afterwards: several threads may call at once.
/// Batches and texts are reported by whoever handed them to the scheduler or did them itself.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  /// `task` went through `step`, which is a step of the plan in batch_ran().
  virtual void step_ran(const Step& step, const Task& task, TimeSpan time) noexcept = 0;
  /// All stages of `plan` ran on `batch`.
  virtual void batch_ran(const Plan& plan, const Batch& batch, TimeSpan time) noexcept = 0;
  /// So many texts became ids.
  virtual void texts_tokenized(std::size_t texts, TimeSpan time) noexcept = 0;
};

/// body(), and the time that it took.
template <class Body>
TimeSpan timed(Body&& body) {
  const auto start = TimeSpan::Clock::now();
  body();
  return {start, TimeSpan::Clock::now()};
}

}  // namespace nybble::runtime
