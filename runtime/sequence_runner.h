// Sequences of ids through a model, batch by batch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/task_model.h"

namespace nybble::runtime {

/// Collects sequences, runs a batch whenever the next would not fit, and hands the rows of each over in
/// order. For one call on one thread.
class SequenceRunner {
 public:
  /// `take` gets the index of a sequence and its output: a row, or a row a token. The others must outlive
  /// this object.
  using Take = std::function<void(std::size_t index, std::span<const float> rows)>;
  SequenceRunner(const TaskModel& task, const EncodeOptions& options, Take take);

  /// `types` has one an id. What BatchBuilder::add() throws, with the number of the sequence.
  void add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types);
  /// Runs what is left.
  void finish();

 private:
  void run();

  const LoadedModel& model_;
  const EncodeOptions& options_;
  Take take_;
  BatchBuilder batch_;
  std::vector<std::size_t> lengths_;  ///< tokens of the sequences in the batch
  std::size_t index_ = 0;             ///< of the batch's first sequence
  std::vector<float> rows_;
};

}  // namespace nybble::runtime
