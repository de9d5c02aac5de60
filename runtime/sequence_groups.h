// Cutting a batch into groups of whole sequences, each of which one thread takes through a whole plan.
#pragma once

#include <vector>

#include "runtime/plan.h"

namespace nybble::runtime {

/// Neighbouring sequences of a batch.
struct SequenceGroup {
  int first_sequence, sequences;
  int first_row, rows;
  double cost;     ///< of all its stages on one thread, in rows of a long product
  int memory_row;  ///< where its rows begin in a workspace that holds all groups one after the other
};

/// What running a plan costs, in rows of its long products: estimates, on which no bit depends.
struct RunCosts {
  double per_run = 0;         ///< of reading all weights once
  double per_row_length = 0;  ///< of attention, for each row and token of its sequence
  double per_phase = 0;       ///< of threads waiting for each other
  double per_wake = 0;        ///< until other threads have joined
};

/// Groups of about `target` tokens, the largest first. `groups` keeps its memory from call to call; it needs
/// room for group_limit().
void form_groups(const Batch& batch, int target, const RunCosts& costs, std::vector<SequenceGroup>& groups);

/// No more groups than this come from so many tokens.
constexpr int group_limit(int tokens, int target) { return 2 * (tokens / target) + 1; }

/// When the last of `groups` is done, if each of `threads` threads takes the next as soon as it is free.
/// Notes in `loads` what each has done; it has room for as many.
double makespan(const std::vector<SequenceGroup>& groups, int threads, std::vector<double>& loads);

}  // namespace nybble::runtime
