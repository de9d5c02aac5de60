// A graph that takes rows of floats, on rows that the caller picks: the decoder of a masked language model.
#pragma once

#include <span>

#include "nybble/nybble.h"
#include "runtime/lowering.h"
#include "runtime/workspace_pool.h"

namespace nybble::runtime {

/// Any number of threads may call it.
class RowDecoder {
 public:
  /// Lowers `graph` for up to kMostRows rows at a time; up to `calls` calls compute at a time. `graph`,
  /// `weights` and `scheduler` must outlive it.
  RowDecoder(const graph::Graph& graph, const Weights& weights, LoweringOptions options,
             const Scheduler& scheduler, int calls);

  std::size_t input_columns() const { return static_cast<std::size_t>(lowered_.plan.input_columns); }
  std::size_t output_columns() const { return static_cast<std::size_t>(lowered_.plan.output_columns); }
  std::size_t linear_bytes() const { return lowered_.linear_bytes; }
  const Plan& plan() const { return lowered_.plan; }

  /// Computes out [count][output_columns()] of rows [count][input_columns()], any number of them.
  void run(std::span<const float> rows, std::span<float> out, const EncodeOptions& options);

 private:
  static constexpr int kMostRows = 64;

  const Scheduler& scheduler_;
  LoweredModel lowered_;
  WorkspacePool workspaces_;
};

}  // namespace nybble::runtime
