#include "runtime/scheduler.h"

#include <xmmintrin.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace nybble::runtime;

namespace {

constexpr unsigned kControls = 0xFFC0;  // MXCSR without the flags of exceptions that occurred

/// How often `scheduler` runs each index, and whether a slot was out of range or used by two at once.
struct Run {
  std::vector<std::atomic<int>> times;
  std::atomic<int> bad_slots = 0, bad_environments = 0;

  Run(const Scheduler& scheduler, int count) : times(static_cast<std::size_t>(count)) {
    std::vector<std::atomic<int>> users(static_cast<std::size_t>(scheduler.threads()));
    scheduler.parallel_for(count, [&](int i, int slot) {
      ++times[static_cast<std::size_t>(i)];
      bad_environments += (_mm_getcsr() & kControls) != 0x1F80;
      if (slot < 0 || slot >= scheduler.threads()) {
        ++bad_slots;
        return;
      }
      std::atomic<int>& user = users[static_cast<std::size_t>(slot)];
      bad_slots += user++ != 0;
      if (i % 7 == 0) std::this_thread::yield();
      --user;
    });
  }
  bool each_once() const {
    return std::all_of(times.begin(), times.end(), [](const std::atomic<int>& n) { return n == 1; });
  }
};

}  // namespace

TEST_CASE("every index runs once, in a slot that no other thread uses meanwhile, whatever the threads") {
  for (const int threads : {1, 2, 3, 8}) {
    const Scheduler scheduler(threads);
    REQUIRE(scheduler.threads() == threads);
    for (const int count : {0, 1, 2, 3, 64, 1000}) {
      INFO(threads << " threads, " << count << " indices");
      const Run run(scheduler, count);
      REQUIRE(run.each_once());
      REQUIRE(run.bad_slots == 0);
    }
  }
}

TEST_CASE("many callers at once share the threads, and each call's slots are its own") {
  for (const int threads : {1, 3}) {
    const Scheduler scheduler(threads);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int c = 0; c < 5; ++c) {
      callers.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          const Run run(scheduler, 40);
          wrong += !run.each_once() || run.bad_slots != 0 || run.bad_environments != 0;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    REQUIRE(wrong == 0);
  }
}

TEST_CASE("tasks run in the floating-point environment of numerics, and the caller keeps its own") {
  for (const int threads : {1, 2, 4}) {
    const Scheduler scheduler(threads);
    const unsigned saved = _mm_getcsr();
    for (const unsigned host : {0x9FC0u, 0xFFC0u, 0x1F80u, 0x3F80u}) {
      _mm_setcsr(host);
      const Run run(scheduler, 200);
      const unsigned after = _mm_getcsr();
      _mm_setcsr(saved);
      INFO(threads << " threads, MXCSR " << host);
      REQUIRE(run.bad_environments == 0);
      REQUIRE((after & kControls) == host);
    }
  }
}

TEST_CASE("what a task throws reaches the caller, with its environment, and the scheduler works on") {
  for (const int threads : {1, 3}) {
    const Scheduler scheduler(threads);
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(0x9FC0);
    std::string caught;
    try {
      scheduler.parallel_for(100, [](int i, int) {
        if (i == 61) throw std::runtime_error("sixty-one");
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    const unsigned after = _mm_getcsr();
    _mm_setcsr(saved);
    REQUIRE(caught == "sixty-one");
    REQUIRE((after & kControls) == 0x9FC0);
    REQUIRE(Run(scheduler, 100).each_once());
  }
}

TEST_CASE("run_plan gives every row, head and sequence to one task, in the order of the stages") {
  Plan plan;
  plan.block_rows = 12;
  plan.scratch_bytes = 64;
  std::vector<std::atomic<int>> rows(100), heads(5 * 3), sequences(5);
  std::atomic<int> too_early = 0, too_large = 0;
  const auto sum = [](const std::vector<std::atomic<int>>& counts) {
    int total = 0;
    for (const auto& count : counts) total += count;
    return total;
  };
  const auto count_into = [&](std::vector<std::atomic<int>>& counts, int before_rows, int before_heads) {
    return [&, before_rows, before_heads](const Task& task) {
      too_early += sum(rows) < before_rows || sum(heads) < before_heads;
      too_large += task.end - task.begin > plan.block_rows || task.end <= task.begin;
      for (int i = task.begin; i < task.end; ++i) ++counts[static_cast<std::size_t>(i)];
    };
  };
  plan.stages.push_back({StageKind::rows, 1, {{{}, count_into(rows, 0, 0)}}});
  plan.stages.push_back({StageKind::attention, 3, {{{}, count_into(heads, 100, 0)}}});
  plan.stages.push_back({StageKind::sequences, 1, {{{}, count_into(sequences, 100, 15)}}});
  const std::vector<std::int32_t> borders = {0, 40, 41, 60, 90, 100}, order = {0, 3, 2, 4, 1};
  Batch batch;
  batch.cu_seqlens = borders.data();
  batch.order = order.data();
  batch.tokens = 100;
  batch.sequences = 5;
  for (const int threads : {1, 2, 3, 16}) {
    for (auto* counts : {&rows, &heads, &sequences}) {
      for (auto& count : *counts) count = 0;
    }
    const Scheduler scheduler(threads);
    run_plan(plan, batch, Workspace(plan, threads), scheduler);
    INFO(threads << " threads");
    for (auto* counts : {&rows, &heads, &sequences}) {
      for (const auto& count : *counts) REQUIRE(count == 1);
    }
    REQUIRE(too_early == 0);
    REQUIRE(too_large == 0);
  }
}
