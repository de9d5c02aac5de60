#include "runtime/run_plan.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace nybble::runtime;

namespace {

constexpr int kPanels = 5, kTokens = 200;

/// A plan of all kinds of stages that counts what it is given, and a batch for it.
struct Counted {
  Plan plan;
  std::vector<std::int32_t> borders = {0, 140, 141, 160, 190, 200}, order = {0, 3, 2, 4, 1};
  std::vector<float> out = std::vector<float>(5);
  std::vector<std::int32_t> ids = std::vector<std::int32_t>(kTokens);
  /// By row·kPanels + panel, row, row·3 + head, sequence.
  std::vector<std::atomic<int>> panels, rows, queries, sequences;
  std::atomic<int> too_early = 0, too_large = 0;

  Counted() : panels(kTokens * kPanels), rows(kTokens), queries(kTokens * 3), sequences(5) {
    plan.max_tokens = kTokens;
    plan.block_rows = 12;
    plan.row_bytes = 8;
    plan.scratch_row_bytes = 8;
    plan.own_bytes = 64;
    plan.output_columns = 1;
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
    Step product{{}, [this](const Task& task) { count_panels(task); }, kPanels};
    Step row{{}, [this](const Task& task) { count_rows(task); }};
    Step head{{}, [this](const Task& task) { count_head(task); }};
    Step pool{{}, [this](const Task& task) { count_sequences(task); }};
    plan.stages = {{StageKind::rows, 1, {product, row}},
                   {StageKind::attention, 3, {head}},
                   {StageKind::sequences, 1, {pool}}};
  }

  Batch batch() {
    return {ids.data(), ids.data(), ids.data(), borders.data(), order.data(), kTokens, 5, out.data()};
  }

  /// Ids name the rows, and the output the sequences, whichever part of the batch a task sees.
  static int first_row(const Task& task) { return task.batch.ids[0]; }
  int first_sequence(const Task& task) const { return static_cast<int>(task.batch.out - out.data()); }

  void count_panels(const Task& task) {
    too_large += task.end - task.begin > task.scratch.capacity;
    for (int row = task.begin; row < task.end; ++row) {
      for (int panel = task.panel_begin; panel < std::min(task.panel_end, kPanels); ++panel)
        ++panels[static_cast<std::size_t>((first_row(task) + row) * kPanels + panel)];
    }
  }
  void count_rows(const Task& task) {
    too_large += task.end - task.scratch_begin > task.scratch.capacity || task.end > task.workspace.capacity;
    for (int row = task.begin; row < task.end; ++row) {
      const auto index = static_cast<std::size_t>(first_row(task) + row);
      for (std::size_t panel = 0; panel < kPanels; ++panel) too_early += panels[index * kPanels + panel] == 0;
      ++rows[index];
    }
  }
  void count_head(const Task& task) {
    const int sequence = task.begin / 3, first = task.batch.cu_seqlens[sequence];
    const int length = task.batch.cu_seqlens[sequence + 1] - first;
    for (int row = first; row < first + length; ++row)
      too_early += rows[static_cast<std::size_t>(first_row(task) + row)] == 0;
    too_large += (task.end - 1) / 3 != sequence;
    for (int query = task.query_begin; query < std::min(task.query_end, length); ++query) {
      for (int head = task.begin; head < task.end; ++head)
        ++queries[static_cast<std::size_t>((first_row(task) + first + query) * 3 + head % 3)];
    }
  }
  void count_sequences(const Task& task) {
    too_large += task.end - task.begin > plan.block_rows;
    for (int i = task.begin; i < task.end; ++i) {
      const auto sequence = static_cast<std::size_t>(first_sequence(task) + i);
      for (std::size_t query = 3 * static_cast<std::size_t>(borders[sequence]);
           query < 3 * static_cast<std::size_t>(borders[sequence + 1]); ++query)
        too_early += queries[query] == 0;
      ++sequences[sequence];
    }
  }

  bool all(int times) const {
    for (const auto* counts : {&panels, &rows, &queries, &sequences}) {
      for (const auto& count : *counts) {
        if (count != times) return false;
      }
    }
    return true;
  }
};

const std::vector<RunChoice> kChoices = {
    {RunForm::groups, 1, 32},  {RunForm::groups, 2, 32}, {RunForm::groups, 3, 50}, {RunForm::groups, 9, 1000},
    {RunForm::rows, 1, 0},     {RunForm::rows, 2, 0},    {RunForm::rows, 3, 0},    {RunForm::rows, 16, 0},
    {RunForm::columns, 17, 0}, {RunForm::columns, 30, 0}};

}  // namespace

TEST_CASE("in every form each row, panel, head and sequence is one task's, after what it is made from") {
  for (const RunChoice& choice : kChoices) {
    INFO("form " << static_cast<int>(choice.form) << ", team " << choice.team << ", target "
                 << choice.group_target);
    Counted counted;
    const Scheduler scheduler(choice.team);
    Workspace workspace(counted.plan, choice.team);
    for (int times = 1; times <= 3; ++times) {
      run_plan_as(choice, counted.plan, counted.batch(), workspace, scheduler);
      REQUIRE(counted.all(times));
    }
    REQUIRE(counted.too_early == 0);
    REQUIRE(counted.too_large == 0);
  }
}

TEST_CASE("the chosen form runs everything once, whatever the threads, alone and beside other calls") {
  for (const int threads : {1, 2, 3, 16}) {
    INFO(threads << " threads");
    Counted counted;
    const Scheduler scheduler(threads);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        Workspace workspace(counted.plan, threads);
        for (int round = 0; round < 25; ++round)
          run_plan(counted.plan, counted.batch(), workspace, scheduler);
      });
    }
    for (std::thread& caller : callers) caller.join();
    REQUIRE(counted.all(100));
    REQUIRE(counted.too_large == 0);
  }
}

namespace {

/// A plan of one product of 1,000 × 1,000 in INT8 a layer, and attention.
Plan products(int layers) {
  Plan plan;
  plan.max_tokens = 4096;
  plan.block_rows = 72;
  const auto nothing = [](const Task&) {};
  for (int layer = 0; layer < layers; ++layer) {
    Step product{{}, nothing, 16};
    product.description.macs_per_token = 1e6;
    product.description.weight_bytes = 1000000;
    plan.stages.push_back({StageKind::rows, 1, {product}});
    Step attention{{}, nothing};
    attention.description.macs_per_pair = 2000;
    plan.stages.push_back({StageKind::attention, 16, {attention}});
  }
  return plan;
}

RunChoice choice_for(const Plan& plan, int team, int sequences, int length) {
  std::vector<std::int32_t> borders;
  for (int i = 0; i <= sequences; ++i) borders.push_back(i * length);
  Batch batch;
  batch.cu_seqlens = borders.data();
  batch.tokens = borders.back();
  batch.sequences = sequences;
  Workspace workspace(plan, team);
  return choose_form(plan, batch, team, workspace);
}

}  // namespace

TEST_CASE("one thread takes sequences in groups; several do where each has groups enough") {
  const Plan plan = products(12);
  for (const int length : {1, 16, 512}) REQUIRE(choice_for(plan, 1, 4, length).form == RunForm::groups);
  const RunChoice many = choice_for(plan, 2, 32, 128);
  REQUIRE(many.form == RunForm::groups);
  REQUIRE(many.team == 2);
  REQUIRE(many.group_target == 128);
  REQUIRE(choice_for(plan, 4, 8, 512).form == RunForm::groups);
}

TEST_CASE("a long sequence is shared out by rows, a short one by columns, and too little work not at all") {
  const Plan plan = products(12);
  REQUIRE(choice_for(plan, 2, 1, 512).form == RunForm::rows);
  REQUIRE(choice_for(plan, 4, 5, 512).form == RunForm::rows);
  REQUIRE(choice_for(plan, 2, 1, 24).form == RunForm::columns);
  REQUIRE(choice_for(plan, 2, 1, 24).team == 2);
  REQUIRE(choice_for(products(1), 2, 1, 2).team == 1);
}
