#include "runtime/sequence_groups.h"

#include <algorithm>

namespace nybble::runtime {
namespace {

int length_of(const Batch& batch, int sequence) {
  return batch.cu_seqlens[sequence + 1] - batch.cu_seqlens[sequence];
}

void add(SequenceGroup& group, int length, const RunCosts& costs) {
  ++group.sequences;
  group.rows += length;
  group.cost += length * (1 + costs.per_row_length * length);
}

}  // namespace

void form_groups(const Batch& batch, int target, const RunCosts& costs, std::vector<SequenceGroup>& groups) {
  groups.clear();
  for (int sequence = 0; sequence < batch.sequences; ++sequence) {
    const int length = length_of(batch, sequence);
    // A group ends where it comes nearest to the target.
    if (groups.empty() || groups.back().rows + length / 2 >= target) {
      groups.push_back({sequence, 0, batch.cu_seqlens[sequence], 0, costs.per_run, 0});
    }
    add(groups.back(), length, costs);
  }
  std::sort(groups.begin(), groups.end(), [](const SequenceGroup& a, const SequenceGroup& b) {
    return a.rows != b.rows ? a.rows > b.rows : a.first_row < b.first_row;
  });
  int row = 0;
  for (SequenceGroup& group : groups) {
    group.memory_row = row;
    row += padded_rows(group.rows);
  }
}

double makespan(const std::vector<SequenceGroup>& groups, int threads, std::vector<double>& loads) {
  loads.assign(static_cast<std::size_t>(threads), 0.0);
  for (const SequenceGroup& group : groups) *std::min_element(loads.begin(), loads.end()) += group.cost;
  return *std::max_element(loads.begin(), loads.end());
}

}  // namespace nybble::runtime
