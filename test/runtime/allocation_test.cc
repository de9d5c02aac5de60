// Between entering and leaving a plan nothing is allocated.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "count_allocations.h"
#include "folder_plan.h"
#include "golden_files.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr int kRuns = 20;

/// Keeps a compiler from leaving out what is freed at once.
void* kept(void* memory) {
  asm volatile("" : "+r"(memory));
  return memory;
}

/// Batches of one token, of one long sequence, and of many of all lengths.
const std::vector<std::vector<int>> kBatches = {{1}, {320}, {5, 64, 1, 300, 17, 2, 2, 128, 33, 90, 250}};

/// What TBB and oneDNN allocate when a thread first meets them is theirs: each thread runs each batch by
/// itself, then all together.
void warm_up(FolderPlan& tiny, int threads) {
  std::atomic<int> arrived = 0;
  tiny.scheduler.parallel_for(threads, [&](int, int) {
    ++arrived;
    for (int i = 0; arrived < threads && i < 1'000'000; ++i) std::this_thread::yield();
    const runtime::Scheduler alone(1);
    runtime::Workspace workspace(tiny.lowered.plan, 1);
    for (const std::vector<int>& lengths : kBatches)
      runtime::run_plan(tiny.lowered.plan, FolderInput(tiny, lengths).batch, workspace, alone);
  });
  for (int i = 0; i < kRuns; ++i) tiny.run(FolderInput(tiny, kBatches.back()).batch);
}

/// Runs a batch of sequences of these lengths again and again.
Allocations allocations_of(FolderPlan& tiny, const std::vector<int>& lengths, const char* exempt_library) {
  const FolderInput input(tiny, lengths);
  start_counting(exempt_library);
  for (int i = 0; i < kRuns; ++i) tiny.run(input.batch);
  return stop_counting();
}

}  // namespace

TEST_CASE("counting sees what is allocated, by which way it may be") {
  const auto counted = [](auto allocate) {
    start_counting(nullptr);
    allocate();
    return stop_counting().count;
  };
  REQUIRE(counted([] {}) == 0);
  REQUIRE(counted([] { std::free(kept(std::malloc(10))); }) == 1);
  REQUIRE(counted([] { std::free(kept(std::calloc(10, 10))); }) == 1);
  REQUIRE(counted([] { std::free(kept(std::aligned_alloc(64, 64))); }) == 1);
  REQUIRE(counted([] { ::operator delete(kept(::operator new(10))); }) == 1);
  REQUIRE(counted([] { kept(std::make_unique<std::vector<int>>(3).get()); }) == 2);
  constexpr std::align_val_t line{64};
  REQUIRE(counted([] { ::operator delete(kept(::operator new(10, line)), line); }) == 1);
}

TEST_CASE("a plan allocates nothing while it runs") {
  for (const graph::WeightFormat format : {graph::WeightFormat::int8, graph::WeightFormat::f32}) {
    // oneDNN makes a table of the arguments of each call.
    const char* exempt = format == graph::WeightFormat::f32 ? "libdnnl" : nullptr;
    for (const graph::PoolMode pooling : {graph::PoolMode::mean, graph::PoolMode::cls}) {
      for (const int threads : {1, 2}) {
        FolderPlan tiny(golden_folder() / "tiny-bert", format, pooling, threads);
        warm_up(tiny, threads);
        for (const std::vector<int>& lengths : kBatches) {
          const Allocations found = allocations_of(tiny, lengths, exempt);
          INFO((exempt ? "f32" : "int8") << ", threads " << threads << ", sequences " << lengths.size()
                                         << ", from " << (found.callers.empty() ? "" : found.callers[0]));
          CHECK(found.count == 0);
        }
      }
    }
  }
}
