// What is behind the public Model.
#pragma once

#include <memory>
#include <string>

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/batch_builder.h"
#include "runtime/lowering.h"
#include "runtime/run_plan.h"
#include "runtime/safetensors.h"
#include "runtime/scheduler.h"
#include "runtime/workspace_pool.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// Members are ordered so that each may point at those before it.
struct LoadedModel {
  ModelInfo info;
  graph::EncoderSizes sizes;
  graph::Graph graph;  ///< after all passes
  std::string graph_text;
  Output output = Output::embedding;
  std::size_t batch_tokens = 0;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  std::unique_ptr<Weights> weights;
  std::unique_ptr<Scheduler> scheduler;
  LoweredModel lowered;
  mutable std::unique_ptr<WorkspacePool> workspaces;

  /// Runs the plan on `batch`.
  void run(const Batch& batch, const EncodeOptions& options) const;
};

}  // namespace nybble::runtime
