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
