// Sequences of ids through a model, batch by batch. Of equal ones the first is computed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/equal_sequences.h"
#include "runtime/task_model.h"

namespace nybble::runtime {

/// Collects sequences, runs a batch whenever the next would not fit, and hands the rows of each that was
/// computed over in order. For one call on one thread.
class SequenceRunner {
 public:
  /// `take` gets the index of a sequence and its output: a row, or a row a token. The others must outlive
  /// this object.
  using Take = std::function<void(std::size_t index, std::span<const float> rows)>;
  SequenceRunner(const TaskModel& task, const EncodeOptions& options, Take take);

  /// Gives the index of the sequence whose rows are this one's too: that of an equal one before it, else its
  /// own, which is the number of sequences before it. `types` has one an id. Throws what BatchBuilder::add()
  /// does, with the number of the sequence.
  std::size_t add(std::span<const std::int32_t> ids, std::span<const std::int32_t> types);
  /// Runs what is left.
  void finish();

 private:
  void run();

  const LoadedModel& model_;
  const EncodeOptions& options_;
  Take take_;
  BatchBuilder batch_;
  EqualSequences equal_;
  struct Pending {
    std::size_t index = 0, length = 0;
  };
  std::vector<Pending> pending_;  ///< the sequences in the batch
  std::size_t next_ = 0;          ///< index of the next sequence
  std::vector<float> rows_;
};

}  // namespace nybble::runtime
