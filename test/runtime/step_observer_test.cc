#include "runtime/step_observer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include "runtime/scheduler.h"

using namespace nybble::runtime;

namespace {

/// Two stages of two steps over rows, one of attention, one over sequences; every step counts its runs.
struct CountedPlan {
  Plan plan;
  std::map<const Step*, std::atomic<int>> runs;

  CountedPlan() {
    plan.max_tokens = 64;
    plan.block_rows = 4;
    for (const StageKind kind :
         {StageKind::rows, StageKind::attention, StageKind::rows, StageKind::sequences}) {
      Stage stage{kind, kind == StageKind::attention ? 3 : 1, {}};
      stage.steps.resize(kind == StageKind::rows ? 2 : 1);
      plan.stages.push_back(std::move(stage));
    }
    for (Stage& stage : plan.stages) {
      for (Step& step : stage.steps)
        step.run = [&count = runs[&step]](const Task&) { count.fetch_add(1, std::memory_order_relaxed); };
    }
  }
};

struct Recorder : StepObserver {
  std::mutex mutex;
  std::map<const Step*, int> steps;
  int backwards = 0;

  void step_ran(const Step& step, const Task&, TimeSpan time) noexcept override {
    const std::lock_guard lock(mutex);
    ++steps[&step];
    backwards += time.stop < time.start;
  }
  void batch_ran(const Plan&, const Batch&, TimeSpan) noexcept override {}
  void texts_tokenized(std::size_t, TimeSpan) noexcept override {}
};

struct Sequences {
  std::vector<std::int32_t> borders = {0, 7, 12, 40}, order = {2, 0, 1};
  Batch batch(StepObserver* observer) const {
    Batch batch;
    batch.cu_seqlens = borders.data();
    batch.order = order.data();
    batch.tokens = borders.back();
    batch.sequences = static_cast<int>(order.size());
    batch.observer = observer;
    return batch;
  }
};

}  // namespace

TEST_CASE("an observer is told of every step as often as it runs, whatever the threads") {
  for (const int threads : {1, 2, 5}) {
    CountedPlan counted;
    const Scheduler scheduler(threads);
    const Workspace workspace(counted.plan, threads);
    Recorder recorder;
    run_plan(counted.plan, Sequences().batch(&recorder), workspace, scheduler);
    REQUIRE(recorder.steps.size() == 6);
    for (const auto& [step, count] : counted.runs) REQUIRE(recorder.steps[step] == count);
    REQUIRE(recorder.backwards == 0);
  }
}

TEST_CASE("without an observer a plan runs the same steps") {
  CountedPlan with, without;
  const Scheduler scheduler(2);
  Recorder recorder;
  run_plan(with.plan, Sequences().batch(&recorder), Workspace(with.plan, 2), scheduler);
  run_plan(without.plan, Sequences().batch(nullptr), Workspace(without.plan, 2), scheduler);
  const auto total = [](const CountedPlan& plan) {
    return std::accumulate(plan.runs.begin(), plan.runs.end(), 0,
                           [](int sum, const auto& entry) { return sum + entry.second; });
  };
  REQUIRE(total(with) > 0);
  REQUIRE(total(with) == total(without));
}
