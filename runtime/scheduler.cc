#include "runtime/scheduler.h"

#include <immintrin.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>

#include "kernels/float_environment.h"

namespace nybble::runtime {

struct Scheduler::Arena {
  explicit Arena(const NodeThreads& threads)
      : arena(oneapi::tbb::task_arena::constraints{}
                  .set_numa_id(threads.node)
                  .set_max_concurrency(threads.threads)) {}
  mutable oneapi::tbb::task_arena arena;
};

namespace {

/// More threads than the machine has CPUs: without this TBB would start fewer, and say so on stderr.
void allow_threads(int threads) {
  if (threads <= oneapi::tbb::info::default_concurrency()) return;
  using oneapi::tbb::global_control;
  static const global_control allowed(global_control::max_allowed_parallelism, 1024);
}

void run_alone(PhasedWork& work) {
  const kernels::FloatEnvironment environment;
  for (int count; (count = work.next_phase()) != PhasedWork::kEnd;) {
    for (int i = 0; i < count; ++i) work.run_task(i, 0);
  }
}

/// Waits a moment for another thread. A phase of few rows is over in microseconds: much sooner than a
/// sleeping thread wakes. But the thread waited for may need this one's CPU.
class Pause {
 public:
  void operator()() {
    if (++times_ < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int kSpins = 500;
  int times_ = 0;
};

// A ticket is the number of a phase, and below it how many of its tasks nobody has taken yet, plus kBias: who
// finds none left has subtracted nevertheless.
constexpr std::uint64_t kBias = std::uint64_t{1} << 16;
constexpr std::uint64_t kLastPhase = 0xFFFFFFFF;
constexpr std::uint64_t ticket_of(std::uint64_t phase, int tasks) {
  return phase << 32 | (kBias + static_cast<std::uint64_t>(tasks));
}
constexpr std::uint64_t phase_of(std::uint64_t ticket) { return ticket >> 32; }
constexpr int untaken(std::uint64_t ticket) {
  return static_cast<int>(static_cast<std::int64_t>(ticket & 0xFFFFFFFF) - static_cast<std::int64_t>(kBias));
}

}  // namespace

/// Those who work on one call. Whoever finishes a phase's last task opens the next: nobody ever waits for a
/// thread that has no task, so any number of members will do.
struct Scheduler::Team {
  Team(PhasedWork& the_work, const Scheduler& the_scheduler) : work(the_work), scheduler(the_scheduler) {
    open_next(0);
  }

  void participate(int member) {
    const kernels::FloatEnvironment environment;
    while (!leaves(member)) {
      const std::uint64_t ticket = tickets.fetch_sub(1, std::memory_order_acq_rel);
      if (untaken(ticket) > 0) {
        run(tasks - untaken(ticket), member);
        if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) open_next(phase_of(ticket) + 1);
      } else if (phase_of(ticket) == kLastPhase || !wait_for_phase_after(phase_of(ticket), member)) {
        return;
      }
    }
  }

  void rethrow() const {
    if (failure) std::rethrow_exception(failure);
  }

  std::atomic<int> members = 1;

 private:
  /// The caller stays to the end.
  bool leaves(int member) const { return member > 0 && member >= scheduler.share(); }

  bool wait_for_phase_after(std::uint64_t phase, int member) {
    for (Pause pause; phase_of(tickets.load(std::memory_order_acquire)) == phase; pause()) {
      if (leaves(member)) return false;
    }
    return true;
  }

  void run(int i, int member) {
    if (failed.load(std::memory_order_relaxed)) return;
    try {
      work.run_task(i, member);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }

  void open_next(std::uint64_t phase) {
    int count = 0;
    while (count == 0) count = work.next_phase();
    tasks = std::max(count, 0);
    unfinished.store(tasks, std::memory_order_relaxed);
    tickets.store(count == PhasedWork::kEnd ? ticket_of(kLastPhase, 0) : ticket_of(phase, count),
                  std::memory_order_release);
  }

  PhasedWork& work;
  const Scheduler& scheduler;
  int tasks = 0;  // of the phase; steady while one of them is taken and not finished
  alignas(64) std::atomic<std::uint64_t> tickets;
  alignas(64) std::atomic<int> unfinished;
  std::atomic<bool> failed = false;
  std::exception_ptr failure;  // set by who set `failed`, read after the last phase
};

Scheduler::Scheduler(const NodeThreads& threads) : threads_(threads.threads) {
  allow_threads(threads_);
  if (threads_ > 1 || threads.node != NodeThreads::kAnyNode) arena_ = std::make_unique<Arena>(threads);
}
Scheduler::~Scheduler() = default;

int Scheduler::share() const noexcept {
  const int calls = std::max(1, calls_.load(std::memory_order_relaxed));
  return (threads_ + calls - 1) / calls;
}

Scheduler::Call::Call(const Scheduler& scheduler) noexcept : scheduler_(scheduler) {
  scheduler.calls_.fetch_add(1, std::memory_order_relaxed);
  team_ = scheduler.share();
}
Scheduler::Call::~Call() { scheduler_.calls_.fetch_sub(1, std::memory_order_relaxed); }

void Scheduler::run(PhasedWork& work, int team) const {
  if (!arena_) return run_alone(work);
  if (team <= 1) return arena_->arena.execute([&] { run_alone(work); });
  arena_->arena.execute([&] {
    Team together(work, *this);
    // Isolated: a caller that waits for its members does not start on another call's work.
    oneapi::tbb::this_task_arena::isolate([&] {
      oneapi::tbb::task_group others;
      for (int i = 1; i < team; ++i) {
        others.run([&] { together.participate(together.members.fetch_add(1, std::memory_order_relaxed)); });
      }
      together.participate(0);
      others.wait();
    });
    together.rethrow();
  });
}

}  // namespace nybble::runtime
