// What is behind the public Model.
#pragma once

#include <memory>
#include <string>

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/batch_builder.h"
#include "runtime/lowering.h"
#include "runtime/safetensors.h"
#include "runtime/scheduler.h"
#include "runtime/workspace_pool.h"
#include "tokenizer/tokenizer.h"

namespace nybble {

/// Members are ordered so that each may point at those before it.
struct Model::Impl {
  ModelInfo info;
  graph::EncoderSizes sizes;
  graph::Graph graph;  ///< after all passes
  std::string graph_text;
  Output output = Output::embedding;
  std::size_t batch_tokens = 0;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  std::unique_ptr<runtime::Weights> weights;
  std::unique_ptr<runtime::Scheduler> scheduler;
  runtime::LoweredModel lowered;
  mutable std::unique_ptr<runtime::WorkspacePool> workspaces;

  /// Runs the plan on `batch`.
  void run(const runtime::Batch& batch, const EncodeOptions& options) const;
};

}  // namespace nybble
