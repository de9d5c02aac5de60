// What is behind the public Model.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/batch_builder.h"
#include "runtime/model_folder.h"
#include "runtime/node_model.h"
#include "runtime/row_decoder.h"
#include "runtime/safetensors.h"
#include "runtime/text_form.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// Members are ordered so that each may point at those before it.
struct LoadedModel {
  ModelInfo info;
  graph::EncoderSizes sizes;
  graph::Graph graph;                   ///< after all passes
  std::optional<graph::Graph> decoder;  ///< of a masked language model, after all passes
  std::string graph_text;
  const kernels::KernelSet* kernels = nullptr;
  std::size_t batch_tokens = 0;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  bool has_types = false;  ///< whether sequences get the tokenizer's token types, or zeros
  TextForms text_forms;
  SparsePooling sparse;  ///< where the output is sparse
  std::unique_ptr<Weights> weights;
  std::vector<std::unique_ptr<NodeModel>> nodes;  ///< one for each NUMA node in use
  std::unique_ptr<RowDecoder> row_decoder;        ///< of `decoder`, on the first node's threads

  const Scheduler& scheduler() const { return nodes.front()->scheduler; }
  const Plan& plan() const { return nodes.front()->lowered.plan; }
  /// Of a row of the output before it is cut.
  std::size_t columns() const {
    return row_decoder ? row_decoder->output_columns() : static_cast<std::size_t>(plan().output_columns);
  }

  /// Runs the plan on `batch`.
  void run(const Batch& batch, const EncodeOptions& options) const;
};

/// Loads what `target` asks for. Throws what Model::load() does but for the folder.
std::shared_ptr<LoadedModel> load_model(const ModelFolder& folder, const graph::ImportTarget& target,
                                        const LoadOptions& options);

}  // namespace nybble::runtime
