// What a folder and the caller's options together ask of the graph, and how it is called.
#pragma once

#include "graph/import/importer.h"
#include "nybble/nybble.h"
#include "runtime/model_folder.h"
#include "runtime/safetensors.h"

namespace nybble::runtime {

/// What the model gives. Throws Error{bad_input} for an output that the folder has not.
Output output_of(const ModelFolder& folder, const LoadOptions& options);

graph::ImportTarget embedding_target(const ModelFolder& folder, const LoadOptions& options, Output output);

/// Adds the weights of the modules that `target` has, and fills in how wide a projection is whose width only
/// its tensor says. Throws Error{unsupported_model} or Error{io}.
void add_modules(const ModelFolder& folder, graph::ImportTarget& target, Weights& weights);

/// Throws Error{unsupported_model} where queries are filled up with tokens that none attends to, and
/// attention has biases of its own.
void check_masked_keys(const ModelFolder& folder, const graph::Graph& graph);

/// Fills in what ModelInfo says of modules, prompts and the output.
void describe_target(const ModelFolder& folder, const graph::ImportTarget& target, ModelInfo& info);

}  // namespace nybble::runtime
