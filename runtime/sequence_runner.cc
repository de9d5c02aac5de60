#include "runtime/sequence_runner.h"

#include <utility>

namespace nybble::runtime {

SequenceRunner::SequenceRunner(const TaskModel& task, const EncodeOptions& options, Take take)
    : model_(*task.model),
      options_(options),
      take_(std::move(take)),
      batch_(model_.sizes, model_.batch_tokens) {}

void SequenceRunner::add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) {
  if (!batch_.fits(ids.size())) run();
  batch_.add(ids, model_.has_types ? types : std::span<const std::int32_t>(), index_ + lengths_.size());
  lengths_.push_back(ids.size());
}

void SequenceRunner::finish() {
  if (!lengths_.empty()) run();
}

void SequenceRunner::run() {
  const Plan& plan = model_.plan();
  const auto columns = static_cast<std::size_t>(plan.output_columns);
  rows_.resize(columns * (plan.output_per_token ? batch_.tokens() : batch_.sequences()));
  model_.run(batch_.batch(rows_.data()), options_);
  std::span<const float> left(rows_);
  for (const std::size_t length : lengths_) {
    const std::size_t floats = columns * (plan.output_per_token ? length : 1);
    take_(index_++, left.first(floats));
    left = left.subspan(floats);
  }
  batch_.clear();
  lengths_.clear();
}

}  // namespace nybble::runtime
