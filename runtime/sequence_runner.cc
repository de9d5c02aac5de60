#include "runtime/sequence_runner.h"

#include <utility>

namespace nybble::runtime {

SequenceRunner::SequenceRunner(const TaskModel& task, const EncodeOptions& options, Take take)
    : model_(*task.model),
      options_(options),
      take_(std::move(take)),
      batch_(model_.sizes, model_.batch_tokens) {}

std::size_t SequenceRunner::add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) {
  if (!model_.has_types) types = {};
  const std::size_t index = next_++;
  if (const std::size_t* equal = equal_.find(ids, types)) return *equal;
  if (!batch_.fits(ids.size())) run();
  batch_.add(ids, types, index);
  equal_.keep(index);
  pending_.push_back({index, ids.size()});
  return index;
}

void SequenceRunner::finish() {
  if (!pending_.empty()) run();
}

void SequenceRunner::run() {
  const Plan& plan = model_.plan();
  const auto columns = static_cast<std::size_t>(plan.output_columns);
  rows_.resize(columns * (plan.output_per_token ? batch_.tokens() : batch_.sequences()));
  model_.run(batch_.batch(rows_.data()), options_);
  std::span<const float> left(rows_);
  for (const Pending& sequence : pending_) {
    const std::size_t floats = columns * (plan.output_per_token ? sequence.length : 1);
    take_(sequence.index, left.first(floats));
    left = left.subspan(floats);
  }
  batch_.clear();
  pending_.clear();
}

}  // namespace nybble::runtime
