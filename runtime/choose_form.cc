// Which form of run_plan() is estimated to end soonest.
#include <algorithm>

#include "runtime/run_plan.h"

namespace nybble::runtime {
namespace {

// A group's rows, weights in use and scratch share L2, and the more rows, the less often weights pass through
// it. MiniLM on 1 MiB of L2: groups of 96 to 256 tokens are 6 to 16 % faster than going stage by stage, 128
// the most. BERT-base: 0 to 6 %, with 128 as with 512.
constexpr int kGroupTokens = 128;
// Stage by stage, the rows of more tokens than groups have pass through L3 between stages.
constexpr double kStagedLoss = 1.1;
// Rows of few tokens on two threads: 0.56 of the time on one, where halves would do. Step by step, threads
// read each other's results as well.
constexpr double kRowsLoss = 1.12;
constexpr double kColumnsLoss = 1.2;
// With more tokens a thread there is work enough in its rows.
constexpr int kColumnTokens = 64;
// Threads that gain less than this are better left to others.
constexpr double kLeastGain = 0.9;

struct Candidate {
  RunChoice choice;
  double cost;
};

class Chooser {
 public:
  Chooser(const Plan& plan, const Batch& batch, int team, Workspace& workspace)
      : plan_(plan), batch_(batch), team_(team), workspace_(workspace), costs_(workspace.costs) {
    for (int i = 0; i < batch.sequences; ++i) {
      const double length = batch.cu_seqlens[i + 1] - batch.cu_seqlens[i];
      attention_ += costs_.per_row_length * length * length;
    }
  }

  RunChoice choose() {
    // Nearly equal groups: the last is not a remainder.
    const int whole = (batch_.tokens + kGroupTokens - 1) / kGroupTokens;
    best_.choice = {RunForm::groups, 1, share_of(whole)};
    if (team_ == 1) return best_.choice;
    best_.cost = kLeastGain * (whole * costs_.per_run + batch_.tokens + attention_);
    consider_groups();
    consider_rows();
    consider_columns();
    return best_.choice;
  }

 private:
  int share_of(int groups) const {
    return std::max((batch_.tokens + groups - 1) / groups, Workspace::kLeastGroup);
  }

  void consider(const RunChoice& choice, double cost) {
    if (cost < best_.cost) best_ = {choice, cost};
  }

  /// Two groups a thread or more, since the last ones to finish decide; or one of the same size for each.
  void consider_groups() {
    const int most = (batch_.tokens + kGroupTokens - 1) / kGroupTokens;
    const int all_busy = (most + team_ - 1) / team_ * team_;
    for (const int groups : {most, all_busy, all_busy + team_}) {
      const int target = share_of(groups);
      form_groups(batch_, target, costs_, workspace_.groups);
      const int threads = std::min(team_, static_cast<int>(workspace_.groups.size()));
      consider({RunForm::groups, threads, target},
               makespan(workspace_.groups, threads, workspace_.loads) + costs_.per_wake);
    }
  }

  double attention_of_a_thread() const {
    double heads = 1;
    for (const Stage& stage : plan_.stages) heads = std::max(heads, static_cast<double>(stage.heads));
    return attention_ / std::min(heads * batch_.sequences, static_cast<double>(team_));
  }

  void consider_rows() {
    const int threads = std::min(team_, batch_.tokens);
    const double rows = (batch_.tokens + threads - 1) / threads;
    const double loss = rows > kGroupTokens ? kStagedLoss : kRowsLoss;
    consider({RunForm::rows, threads, 0}, costs_.per_run + loss * rows + attention_of_a_thread() +
                                              static_cast<double>(plan_.stages.size()) * costs_.per_phase +
                                              costs_.per_wake);
  }

  void consider_columns() {
    if (batch_.tokens > team_ * std::min(plan_.block_rows, kColumnTokens)) return;
    double macs = 0, macs_of_a_thread = 0, phases = 0;
    for (const Stage& stage : plan_.stages) {
      for (const Step& step : stage.steps) {
        const int parts = step.panels > 0 ? step.panels : (batch_.tokens + 3) / 4;
        macs += step.description.macs_per_token;
        macs_of_a_thread += step.description.macs_per_token * ((parts + team_ - 1) / team_) / parts;
        ++phases;
      }
    }
    const double share = macs > 0 ? macs_of_a_thread / macs : 1;
    consider({RunForm::columns, team_, 0}, (costs_.per_run + kColumnsLoss * batch_.tokens) * share +
                                               attention_of_a_thread() + phases * costs_.per_phase +
                                               costs_.per_wake);
  }

  const Plan& plan_;
  const Batch& batch_;
  const int team_;
  Workspace& workspace_;
  const RunCosts& costs_;
  double attention_ = 0;
  Candidate best_{};
};

}  // namespace

RunChoice choose_form(const Plan& plan, const Batch& batch, int team, Workspace& workspace) {
  return Chooser(plan, batch, team, workspace).choose();
}

}  // namespace nybble::runtime
