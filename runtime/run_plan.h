// Running a plan on a batch, in the form that keeps the threads busy.
#pragma once

#include "runtime/plan.h"
#include "runtime/scheduler.h"
#include "runtime/workspace.h"

namespace nybble::runtime {

/// How the work on a batch is shared out. The bits are the same in all forms: rows do not depend on each
/// other.
enum class RunForm {
  groups,   ///< a task takes a group of whole sequences through all stages: no synchronisation at all
  rows,     ///< stage by stage: blocks of rows, and heads of sequences
  columns,  ///< step by step: the panels of products as well; for up to team · plan.block_rows tokens
};

struct RunChoice {
  RunForm form = RunForm::groups;
  int team = 1;          ///< most threads
  int group_target = 0;  ///< tokens of a group, at least Workspace::kLeastGroup
};

/// The form for `batch` that is estimated to end soonest on up to `team` threads: one thread where more gain
/// nothing. Writes its notes into `workspace`, which is made for at least so many.
RunChoice choose_form(const Plan& plan, const Batch& batch, int team, Workspace& workspace);

/// Runs every stage of `plan` on `batch`. Allocates nothing of its own.
void run_plan(const Plan& plan, const Batch& batch, Workspace& workspace, const Scheduler& scheduler);

/// The same in a form that the caller chose: `workspace` is made for at least choice.team threads.
void run_plan_as(const RunChoice& choice, const Plan& plan, const Batch& batch, Workspace& workspace,
                 const Scheduler& scheduler);

/// Sequences [first, first + count) of `batch` as a batch of their own, without an order. `borders` has room
/// for count + 1.
Batch sequences_of(const Plan& plan, const Batch& batch, int first, int count, std::int32_t* borders);

}  // namespace nybble::runtime
