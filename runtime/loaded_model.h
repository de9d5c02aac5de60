// What is behind the public Model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/batch_builder.h"
#include "runtime/node_model.h"
#include "runtime/safetensors.h"
#include "runtime/text_form.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// Members are ordered so that each may point at those before it.
struct LoadedModel {
  ModelInfo info;
  graph::EncoderSizes sizes;
  graph::Graph graph;  ///< after all passes
  std::string graph_text;
  const kernels::KernelSet* kernels = nullptr;
  std::size_t batch_tokens = 0;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  TextForms text_forms;
  std::unique_ptr<Weights> weights;
  std::vector<std::unique_ptr<NodeModel>> nodes;  ///< one for each NUMA node in use

  const Scheduler& scheduler() const { return nodes.front()->scheduler; }
  const Plan& plan() const { return nodes.front()->lowered.plan; }
  /// Of a row as the plan makes it.
  std::size_t columns() const { return static_cast<std::size_t>(plan().output_columns); }

  /// Runs the plan on `batch`.
  void run(const Batch& batch, const EncodeOptions& options) const;
};

}  // namespace nybble::runtime
