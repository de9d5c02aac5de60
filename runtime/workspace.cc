#include "runtime/workspace.h"

namespace nybble::runtime {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
std::size_t size(int count) { return static_cast<std::size_t>(count); }

// Estimates in multiplications of a long INT8 product, of which a core does about 200 in a nanosecond.
constexpr double kPerCachedWeight = 4;  // 50 GB/s from L3 for MiniLM's 11 MB
constexpr double kPerWeight = 11;       // 35 GB/s from memory for BERT-base's 86 MB
constexpr double kPerAttentionMac = 2.5;
constexpr double kPerPhase = 4e5;  // 2 us: five cache lines that go between cores, 0.27 us each, and the wait
constexpr double kPerWake = 1.5e7;  // 75 us: 25 until a sleeping thread runs, and its caches are cold

RunCosts costs_of(const Plan& plan) {
  double per_token = 0, per_pair = 0, weight_bytes = 0;
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) {
      // What is done once a sequence is little beside what its tokens take.
      if (stage.kind != StageKind::sequences) per_token += step.description.macs_per_token;
      per_pair += step.description.macs_per_pair + step.description.macs_per_position;
      weight_bytes += static_cast<double>(step.description.weight_bytes);
    }
  }
  if (per_token == 0) return {};
  return {(plan.weights_cached ? kPerCachedWeight : kPerWeight) * weight_bytes / per_token,
          kPerAttentionMac * per_pair / per_token, kPerPhase / per_token, kPerWake / per_token};
}

}  // namespace

Workspace::Workspace(const Plan& plan, int threads)
    : loads(size(threads)),
      member_rows(size(threads)),
      costs(costs_of(plan)),
      row_bytes_(plan.row_bytes),
      scratch_row_bytes_(plan.scratch_row_bytes),
      own_bytes_(aligned(plan.own_bytes)),
      threads_(threads),
      block_rows_(padded_rows(plan.block_rows)) {
  const int most_groups = group_limit(plan.max_tokens, kLeastGroup);
  groups.reserve(size(most_groups));
  rows_ = padded_rows(plan.max_tokens) + kRowUnit * most_groups;
  const std::size_t all_rows = aligned(row_bytes_ * size(rows_));
  const std::size_t all_scratch = aligned(scratch_row_bytes_ * size(block_rows_) * size(threads));
  const std::size_t all_own = own_bytes_ * size(threads);
  const std::size_t all_borders = sizeof(std::int32_t) * size(rows_ + most_groups);
  memory_ = quant::Pages(all_rows + all_scratch + all_own + all_borders);
  scratch_ = memory_.data() + all_rows;
  own_ = scratch_ + all_scratch;
  borders_ = own_ + all_own;
}

RowMemory Workspace::rows(int first, int rows) const noexcept {
  return {memory_.data() + row_bytes_ * size(first), padded_rows(rows)};
}

RowMemory Workspace::scratch(int member) const noexcept {
  return {scratch_ + scratch_row_bytes_ * size(block_rows_) * size(member), block_rows_};
}

RowMemory Workspace::shared_scratch() const noexcept { return {scratch_, block_rows_ * threads_}; }

std::byte* Workspace::own(int member) const noexcept { return own_ + own_bytes_ * size(member); }

std::int32_t* Workspace::borders(const SequenceGroup& group, int index) const noexcept {
  return reinterpret_cast<std::int32_t*>(borders_) + group.memory_row + index;
}

}  // namespace nybble::runtime
