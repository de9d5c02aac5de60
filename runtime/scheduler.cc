#include "runtime/scheduler.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <new>

#include "kernels/float_environment.h"
#include "kernels/packed_weights.h"
#include "runtime/step_observer.h"

namespace nybble::runtime {

struct Scheduler::Arena {
  explicit Arena(int threads) : arena(threads) {}
  mutable oneapi::tbb::task_arena arena;
};

namespace {

/// More threads than the machine has CPUs: without this TBB would start fewer, and say so on stderr.
void allow_threads(int threads) {
  if (threads <= oneapi::tbb::info::default_concurrency()) return;
  using oneapi::tbb::global_control;
  static const global_control allowed(global_control::max_allowed_parallelism, 1024);
}

}  // namespace

Scheduler::Scheduler(int threads) : threads_(std::max(1, threads)) {
  allow_threads(threads_);
  if (threads_ > 1) arena_ = std::make_unique<Arena>(threads_);
}
Scheduler::~Scheduler() = default;

void Scheduler::parallel_for(int count, const std::function<void(int, int)>& body) const {
  if (!arena_) {
    const kernels::FloatEnvironment environment;
    for (int i = 0; i < count; ++i) body(i, 0);
    return;
  }
  arena_->arena.execute([&] {
    oneapi::tbb::parallel_for(
        0, count,
        [&](int i) {
          const kernels::FloatEnvironment environment;
          body(i, oneapi::tbb::this_task_arena::current_thread_index());
        },
        oneapi::tbb::auto_partitioner{});
  });
}

Workspace::Workspace(const Plan& plan, int threads)
    : workspace_bytes_((plan.workspace_bytes + 63) / 64 * 64),
      scratch_bytes_((plan.scratch_bytes + 63) / 64 * 64),
      memory_(static_cast<std::byte*>(
          ::operator new[](workspace_bytes_ + static_cast<std::size_t>(threads) * scratch_bytes_ + 64,
                           std::align_val_t{64}))) {}

namespace {

/// Rows of a task of a stage over rows: a block that fits the cache, and for every thread a share of a small
/// batch.
int rows_per_task(const Plan& plan, int tokens, int threads) {
  const int share = (tokens + threads - 1) / threads;
  const int blocks = (share + plan.block_rows - 1) / plan.block_rows;
  // Nearly equal blocks: the last task of a thread is not a remainder.
  return (share + blocks - 1) / blocks;
}

void run_observed(const Step& step, const Task& task) {
  task.batch.observer->step_ran(step, task, timed([&] { step.run(task); }));
}

void run_steps(const Stage& stage, const Task& task) {
  if (task.batch.observer) {
    for (const Step& step : stage.steps) run_observed(step, task);
    return;
  }
  for (const Step& step : stage.steps) step.run(task);
}

}  // namespace

void run_plan(const Plan& plan, const Batch& batch, const Workspace& workspace, const Scheduler& scheduler) {
  const int block = rows_per_task(plan, batch.tokens, scheduler.threads());
  for (const Stage& stage : plan.stages) {
    const auto run = [&](int begin, int end, int slot) {
      run_steps(stage, Task{batch, workspace.rows(), workspace.scratch(slot), begin, end});
    };
    switch (stage.kind) {
      case StageKind::rows:
        scheduler.parallel_for((batch.tokens + block - 1) / block, [&](int i, int slot) {
          run(i * block, std::min(batch.tokens, (i + 1) * block), slot);
        });
        break;
      case StageKind::attention:
        scheduler.parallel_for(batch.sequences * stage.heads, [&](int i, int slot) {
          const int task = batch.order[i / stage.heads] * stage.heads + i % stage.heads;
          run(task, task + 1, slot);
        });
        break;
      case StageKind::sequences:
        scheduler.parallel_for(batch.sequences, [&](int i, int slot) { run(i, i + 1, slot); });
        break;
    }
  }
}

}  // namespace nybble::runtime
