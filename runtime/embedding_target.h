// What a folder and the caller's options together ask of the graph, and how it is called.
#pragma once

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/model_folder.h"
#include "runtime/safetensors.h"

namespace nybble::runtime {

/// What the model gives. Throws Error{bad_input} for an output that the folder has not.
Output output_of(const ModelFolder& folder, const LoadOptions& options);

/// `weights` says how wide a projection is whose width stands nowhere else. Throws Error{unsupported_model}.
graph::ImportTarget embedding_target(const ModelFolder& folder, const LoadOptions& options, Output output,
                                     const Weights& weights);

/// Fills in what ModelInfo says of modules, prompts and the output.
void describe_target(const ModelFolder& folder, const graph::ImportTarget& target, ModelInfo& info);

}  // namespace nybble::runtime
