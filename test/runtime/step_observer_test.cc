#include "runtime/step_observer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include "runtime/run_plan.h"

using namespace nybble::runtime;

namespace {

/// Two stages of two steps over rows, one of attention, one over sequences; every step counts its runs.
struct CountedPlan {
  Plan plan;
  std::map<const Step*, std::atomic<int>> runs;

  CountedPlan() {
    plan.max_tokens = 40;
    plan.block_rows = 20;
    plan.row_bytes = plan.scratch_row_bytes = 8;
    plan.own_bytes = 64;
    plan.output_columns = 1;
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
  std::vector<std::int32_t> borders = {0, 7, 12, 40}, order = {2, 0, 1}, ids = std::vector<std::int32_t>(40);
  std::vector<float> out = std::vector<float>(3);
  Batch batch(StepObserver* observer) {
    return {ids.data(), ids.data(), ids.data(), borders.data(), order.data(), 40, 3, out.data(), observer};
  }
};

constexpr RunForm kForms[] = {RunForm::groups, RunForm::rows, RunForm::columns};

void run(const Plan& plan, RunForm form, int threads, StepObserver* observer) {
  const Scheduler scheduler(threads);
  Workspace workspace(plan, threads);
  Sequences sequences;
  const Batch batch = sequences.batch(observer);
  run_plan_as({form, threads, Workspace::kLeastGroup}, plan, batch, workspace, scheduler);
}

int total(const CountedPlan& counted) {
  return std::accumulate(counted.runs.begin(), counted.runs.end(), 0,
                         [](int sum, const auto& entry) { return sum + entry.second; });
}

}  // namespace

TEST_CASE("an observer is told of every step as often as it runs, in every form and whatever the threads") {
  for (const RunForm form : kForms) {
    for (const int threads : {1, 2, 5}) {
      CountedPlan counted;
      Recorder recorder;
      run(counted.plan, form, threads, &recorder);
      INFO(static_cast<int>(form) << ", " << threads << " threads");
      REQUIRE(recorder.steps.size() == 6);
      for (const auto& [step, count] : counted.runs) REQUIRE(recorder.steps[step] == count);
      REQUIRE(recorder.backwards == 0);
    }
  }
}

TEST_CASE("without an observer a plan runs the same steps") {
  for (const RunForm form : kForms) {
    CountedPlan with, without;
    Recorder recorder;
    run(with.plan, form, 2, &recorder);
    run(without.plan, form, 2, nullptr);
    REQUIRE(total(with) > 0);
    REQUIRE(total(with) == total(without));
  }
}
