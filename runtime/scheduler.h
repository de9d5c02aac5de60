// Threads, and how calls share them.
//
// All calls of a model share one TBB arena, so that together they never run more threads than it has. A
// call's work is done by a team: the caller, and threads of the arena that join while there is work. Work
// comes in phases, of which only one runs at a time. Nothing depends on how many join, or when.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "runtime/numa.h"

namespace nybble::runtime {

/// Work in phases. No task of a phase runs before all tasks of the phase before it have returned.
class PhasedWork {
 public:
  static constexpr int kEnd = -1;

  /// Moves to the next phase: the number of its tasks, or kEnd after the last. Called on any thread of the
  /// team while none of its tasks runs; may not throw.
  virtual int next_phase() noexcept = 0;
  /// Runs task `i` of the phase. `member`, in [0, team), is a place of the calling thread that no other uses
  /// meanwhile; the caller's is 0.
  virtual void run_task(int i, int member) = 0;

 protected:
  ~PhasedWork() = default;
};

/// A fixed number of threads. Any number of threads may call its members at once.
class Scheduler {
 public:
  explicit Scheduler(const NodeThreads& threads);
  explicit Scheduler(int threads) : Scheduler(NodeThreads{NodeThreads::kAnyNode, threads}) {}
  ~Scheduler();

  int threads() const noexcept { return threads_; }
  /// Calls under way, by last count.
  int calls() const noexcept { return calls_.load(std::memory_order_relaxed); }

  /// Counts as a call from construction to destruction.
  class Call {
   public:
    explicit Call(const Scheduler& scheduler) noexcept;
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    /// The threads that this call may use: all, or its part when other calls want some too. With two calls on
    /// two threads each has its own.
    int team() const noexcept { return team_; }

   private:
    const Scheduler& scheduler_;
    int team_;
  };

  /// Runs `work` on the calling thread and up to `team` - 1 others of the arena, which leave early when more
  /// calls come. Waits for a place in the arena when all are taken. The floating-point environment of tasks
  /// is that of docs/numerics.md. Returns when all is done; rethrows what a task threw, and skips the tasks
  /// after it.
  void run(PhasedWork& work, int team) const;

  /// Calls body(i, member) for each i in [0, count) in one phase, as a call of its own.
  template <class Body>
  void parallel_for(int count, Body&& body) const {
    struct Work final : PhasedWork {
      int count;
      Body& body;
      Work(int n, Body& b) : count(n), body(b) {}
      int next_phase() noexcept override { return std::exchange(count, kEnd); }
      void run_task(int i, int member) override { body(i, member); }
    };
    const Call call(*this);
    Work work(count, body);
    run(work, call.team());
  }

 private:
  struct Arena;
  struct Team;

  int share() const noexcept;

  int threads_;
  mutable std::atomic<int> calls_ = 0;
  std::unique_ptr<Arena> arena_;  ///< none for one thread that may run anywhere
};

}  // namespace nybble::runtime
