#include "runtime/scheduler.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <new>

#include "kernels/float_environment.h"
#include "kernels/packed_weights.h"

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

/// Rows of a task of a stage over rows or sequences: a block that fits the cache, and for every thread a
/// share of a small batch.
int rows_per_task(const Plan& plan, int rows, int threads) {
  const int share = (rows + threads - 1) / threads;
  const int blocks = (share + plan.block_rows - 1) / plan.block_rows;
  // Nearly equal blocks: the last task of a thread is not a remainder.
  return (share + blocks - 1) / blocks;
}

void run_steps(const Stage& stage, const Task& task) {
  for (const Step& step : stage.steps) step.run(task);
}

}  // namespace

void run_plan(const Plan& plan, const Batch& batch, const Workspace& workspace, const Scheduler& scheduler) {
  for (const Stage& stage : plan.stages) {
    const auto run = [&](int begin, int end, int slot) {
      run_steps(stage, Task{batch, workspace.rows(), workspace.scratch(slot), begin, end});
    };
    // By reference: a std::function of a larger thing would allocate.
    if (stage.kind == StageKind::attention) {
      const auto run_head = [&](int i, int slot) {
        const int task = batch.order[i / stage.heads] * stage.heads + i % stage.heads;
        run(task, task + 1, slot);
      };
      scheduler.parallel_for(batch.sequences * stage.heads, std::ref(run_head));
      continue;
    }
    const int rows = stage.kind == StageKind::rows ? batch.tokens : batch.sequences;
    const int block = rows_per_task(plan, rows, scheduler.threads());
    const auto run_block = [&](int i, int slot) { run(i * block, std::min(rows, (i + 1) * block), slot); };
    scheduler.parallel_for((rows + block - 1) / block, std::ref(run_block));
  }
}

}  // namespace nybble::runtime
