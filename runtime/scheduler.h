// Threads: a TBB arena, and running a plan's stages on it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "runtime/plan.h"

namespace nybble::runtime {

/// A fixed number of threads. Any number of threads may call its members at once; they share the arena.
class Scheduler {
 public:
  explicit Scheduler(int threads);
  ~Scheduler();

  int threads() const noexcept { return threads_; }

  /// Calls body(i, slot) for each i in [0, count), on up to threads() threads; slot, in [0, threads()), is a
  /// place of the calling thread that no other uses meanwhile. The floating-point environment is that of
  /// docs/numerics.md. Returns when all have returned; rethrows what one threw.
  void parallel_for(int count, const std::function<void(int i, int slot)>& body) const;

 private:
  struct Arena;
  int threads_;
  std::unique_ptr<Arena> arena_;  ///< none for one thread
};

/// Memory for one batch: the rows of a plan's values and scratch for every thread.
class Workspace {
 public:
  Workspace(const Plan& plan, int threads);

  std::byte* rows() const noexcept { return memory_.get(); }
  std::byte* scratch(int slot) const noexcept {
    return memory_.get() + workspace_bytes_ + static_cast<std::size_t>(slot) * scratch_bytes_;
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { ::operator delete[](memory, std::align_val_t{64}); }
  };
  std::size_t workspace_bytes_, scratch_bytes_;
  std::unique_ptr<std::byte[], Free> memory_;
};

/// Runs every stage of `plan` on `batch`. Allocates nothing of its own.
void run_plan(const Plan& plan, const Batch& batch, const Workspace& workspace, const Scheduler& scheduler);

}  // namespace nybble::runtime
