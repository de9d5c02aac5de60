#include "runtime/run_plan.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "runtime/step_observer.h"

namespace nybble::runtime {
namespace {

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

void run_step(const Step& step, const Task& task) {
  if (!task.batch.observer) return step.run(task);
  task.batch.observer->step_ran(step, task, timed([&] { step.run(task); }));
}

void run_steps(const Stage& stage, const Task& task) {
  for (const Step& step : stage.steps) run_step(step, task);
}

/// [0, count) cut into nearly equal parts of at most `most`, so that the last is not a remainder: as many for
/// each of `threads`.
struct EqualParts {
  EqualParts(int count, int most, int threads = 1)
      : count_(count), parts_(std::min(count, ceil_div(ceil_div(count, most), threads) * threads)) {}
  int parts() const { return parts_; }
  int begin(int part) const { return static_cast<int>(static_cast<std::int64_t>(count_) * part / parts_); }

 private:
  int count_, parts_;
};

// ---- groups: a task takes whole sequences through all stages ----

class GroupRun final : public PhasedWork {
 public:
  GroupRun(const Plan& plan, const Batch& batch, Workspace& workspace)
      : plan_(plan), batch_(batch), workspace_(workspace) {
    std::fill(workspace.member_rows.begin(), workspace.member_rows.end(), -1);
  }

  int next_phase() noexcept override {
    return std::exchange(phase_, kEnd) == kEnd ? kEnd : static_cast<int>(workspace_.groups.size());
  }

  void run_task(int i, int member) override {
    const SequenceGroup& group = workspace_.groups[static_cast<std::size_t>(i)];
    // Groups come in order of size: a member's later ones fit where its first one lay, still in its cache.
    int& row = workspace_.member_rows[static_cast<std::size_t>(member)];
    if (row < 0) row = group.memory_row;
    const Batch part =
        sequences_of(plan_, batch_, group.first_sequence, group.sequences, workspace_.borders(group, i));
    const Task task{
        part, workspace_.rows(row, group.rows), workspace_.scratch(member), workspace_.own(member), 0, 0, 0};
    for (const Stage& stage : plan_.stages) run_stage(stage, task);
  }

 private:
  void run_stage(const Stage& stage, Task task) const {
    const bool rows = stage.kind == StageKind::rows;
    const int count = rows ? task.batch.tokens : task.batch.sequences * stage.heads;
    const EqualParts blocks(count, stage.kind == StageKind::attention ? 1 : plan_.block_rows);
    for (int block = 0; block < blocks.parts(); ++block) {
      task.begin = task.scratch_begin = blocks.begin(block);
      task.end = blocks.begin(block + 1);
      run_steps(stage, task);
    }
  }

  const Plan& plan_;
  const Batch& batch_;
  Workspace& workspace_;
  int phase_ = 0;
};

// ---- rows: stage by stage ----

/// What runs stage by stage: the batch's rows lie at the start of the workspace.
class StagedRun : public PhasedWork {
 protected:
  StagedRun(const Plan& plan, const Batch& batch, Workspace& workspace, int team)
      : plan_(plan),
        batch_(batch),
        workspace_(workspace),
        rows_(workspace.rows(0, batch.tokens)),
        team_(team) {}
  ~StagedRun() = default;

  int count_of(const Stage& stage) const {
    return stage.kind == StageKind::rows ? batch_.tokens : batch_.sequences;
  }

  /// Opens a stage of attention: its tasks.
  int open_attention(const Stage& stage, int tasks_a_member) {
    const int heads = batch_.sequences * stage.heads, wanted = tasks_a_member * team_;
    head_parts_ = std::clamp(wanted / batch_.sequences, 1, stage.heads);
    // Each part of the queries prepares the keys and values anew: the fewer, the better.
    const int most = ceil_div(longest(), kLeastQueries);
    query_parts_ = heads < wanted ? std::clamp(ceil_div(wanted, heads), 1, most) : 1;
    return batch_.sequences * head_parts_ * query_parts_;
  }

  /// Task `i` of a stage of attention: the longest sequences come first.
  Task attention_task(const Stage& stage, int i, int member) const {
    const int sequence = batch_.order[i / (head_parts_ * query_parts_)];
    const int part = i / query_parts_ % head_parts_;
    const int first = sequence * stage.heads;
    Task task{batch_,
              rows_,
              workspace_.scratch(member),
              workspace_.own(member),
              first + stage.heads * part / head_parts_,
              first + stage.heads * (part + 1) / head_parts_,
              0};
    const int length = batch_.cu_seqlens[sequence + 1] - batch_.cu_seqlens[sequence];
    const EqualParts queries(length, ceil_div(length, query_parts_));
    const int query = i % query_parts_;
    task.query_begin = queries.begin(std::min(query, queries.parts()));
    task.query_end = queries.begin(std::min(query + 1, queries.parts()));
    return task;
  }

  const Plan& plan_;
  const Batch& batch_;
  Workspace& workspace_;
  const RowMemory rows_;
  const int team_;

 private:
  // Fewer queries than this cost more to prepare keys and values for than they save.
  static constexpr int kLeastQueries = 64;

  int longest() const {
    const int sequence = batch_.order[0];
    return batch_.cu_seqlens[sequence + 1] - batch_.cu_seqlens[sequence];
  }

  int head_parts_ = 1, query_parts_ = 1;
};

class RowRun final : public StagedRun {
 public:
  RowRun(const Plan& plan, const Batch& batch, Workspace& workspace, int team)
      : StagedRun(plan, batch, workspace, team) {}

  int next_phase() noexcept override {
    if (++stage_ == static_cast<int>(plan_.stages.size())) return kEnd;
    if (stage().kind == StageKind::attention) return open_attention(stage(), kTasksAMember);
    blocks_ = EqualParts(count_of(stage()), plan_.block_rows, team_);
    return blocks_.parts();
  }

  void run_task(int i, int member) override {
    if (stage().kind == StageKind::attention) return run_steps(stage(), attention_task(stage(), i, member));
    const int begin = blocks_.begin(i);
    run_steps(stage(), Task{batch_, rows_, workspace_.scratch(member), workspace_.own(member), begin,
                            blocks_.begin(i + 1), begin});
  }

 private:
  // So many that the last ones to end keep nobody waiting long.
  static constexpr int kTasksAMember = 4;

  const Stage& stage() const { return plan_.stages[static_cast<std::size_t>(stage_)]; }

  int stage_ = -1;
  EqualParts blocks_{0, 1};
};

// ---- columns: step by step ----

/// Each phase is a step: one that has panels is shared out by these, others by rows. What a step leaves for
/// the next lies in one scratch for all.
class ColumnRun final : public StagedRun {
 public:
  ColumnRun(const Plan& plan, const Batch& batch, Workspace& workspace, int team)
      : StagedRun(plan, batch, workspace, team), scratch_(workspace.shared_scratch()) {}

  int next_phase() noexcept override {
    if (stage_ >= 0 && ++step_ < stage().steps.size()) return open_step();
    do {
      if (++stage_ == static_cast<int>(plan_.stages.size())) return kEnd;
    } while (stage().steps.empty());
    step_ = 0;
    return open_step();
  }

  void run_task(int i, int member) override {
    if (stage().kind == StageKind::attention) return run_step(step(), attention_task(stage(), i, member));
    Task task{batch_, rows_, scratch_, workspace_.own(member), parts_.begin(i), parts_.begin(i + 1), 0};
    if (step().panels > 0) {
      task.panel_begin = std::exchange(task.begin, 0);
      task.panel_end = std::exchange(task.end, count_of(stage()));
    }
    run_step(step(), task);
  }

 private:
  // Fewer rows of LayerNorm or quantization take less time than handing them to another thread: 1 us.
  static constexpr int kRowsATask = 4;

  /// A task a member: so small that each more would cost more than it evens out.
  int open_step() {
    if (stage().kind == StageKind::attention) return open_attention(stage(), 1);
    const int count = step().panels > 0 ? step().panels : count_of(stage());
    const int least = step().panels > 0 ? 1 : kRowsATask;
    parts_ = EqualParts(count, std::max(least, ceil_div(count, team_)));
    return parts_.parts();
  }

  const Stage& stage() const { return plan_.stages[static_cast<std::size_t>(stage_)]; }
  const Step& step() const { return stage().steps[step_]; }

  const RowMemory scratch_;
  int stage_ = -1;
  std::size_t step_ = 0;
  EqualParts parts_{0, 1};
};

}  // namespace

Batch sequences_of(const Plan& plan, const Batch& batch, int first, int count, std::int32_t* borders) {
  const std::int32_t row = batch.cu_seqlens[first];
  for (int i = 0; i <= count; ++i) borders[i] = batch.cu_seqlens[first + i] - row;
  Batch part = batch;
  if (part.ids) {
    part.ids += row;
    part.positions += row;
    part.types += row;
  }
  part.cu_seqlens = borders;
  part.order = nullptr;
  if (batch.pool_from) part.pool_from += first;
  if (batch.key_bias) part.key_bias += row;
  part.tokens = borders[count];
  part.sequences = count;
  if (part.rows) part.rows += static_cast<std::ptrdiff_t>(row) * plan.input_columns;
  part.out += static_cast<std::ptrdiff_t>(plan.output_per_token ? row : first) * plan.output_columns;
  return part;
}

void run_plan_as(const RunChoice& choice, const Plan& plan, const Batch& batch, Workspace& workspace,
                 const Scheduler& scheduler) {
  switch (choice.form) {
    case RunForm::groups: {
      form_groups(batch, choice.group_target, workspace.costs, workspace.groups);
      GroupRun run(plan, batch, workspace);
      return scheduler.run(run, choice.team);
    }
    case RunForm::rows: {
      RowRun run(plan, batch, workspace, choice.team);
      return scheduler.run(run, choice.team);
    }
    case RunForm::columns: {
      ColumnRun run(plan, batch, workspace, choice.team);
      return scheduler.run(run, choice.team);
    }
  }
}

void run_plan(const Plan& plan, const Batch& batch, Workspace& workspace, const Scheduler& scheduler) {
  const Scheduler::Call call(scheduler);
  run_plan_as(choose_form(plan, batch, call.team(), workspace), plan, batch, workspace, scheduler);
}

}  // namespace nybble::runtime
