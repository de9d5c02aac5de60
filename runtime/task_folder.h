// What a folder says of the task that its model was trained for: heads, labels, and how logits become scores.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/importer.h"
#include "graph/tensor.h"
#include "nybble/tasks.h"
#include "runtime/json_file.h"
#include "runtime/model_folder.h"

namespace nybble::runtime {

/// As read_model_folder(), of a folder with a head: modules.json says no more than where the Transformer
/// lies, and the Transformer's configuration how long its texts are.
ModelFolder read_task_folder(const std::filesystem::path& dir);

/// Throws Error{unsupported_model} where the folder is that of a CrossEncoder, which gives no embeddings.
void refuse_cross_encoder(const std::filesystem::path& dir);

/// Where the Transformer of modules.json lies, relative to the folder; empty: in it.
std::filesystem::path transformer_path(const std::filesystem::path& dir);

/// Classifications by name, index i of a row of logits: `id2label`, else LABEL_0 … by `num_labels`, else two.
/// Throws Error{unsupported_model} where the ids of id2label are not 0, 1, 2 ….
std::vector<std::string> read_labels(const JsonObject& config);

/// As text-classification pipelines choose: by `problem_type`, else softmax for several labels and sigmoid
/// for one.
Scoring classifier_scoring(const JsonObject& config, std::size_t labels);

/// As sentence-transformers' CrossEncoder chooses: the activation that config_sentence_transformers.json, or
/// config.json since version 4 and before, names, else sigmoid for one label. Throws Error{unsupported_model}
/// for one that is neither torch's Sigmoid nor Identity.
Scoring cross_encoder_scoring(const ModelFolder& folder);

/// Whether transformers gives the model the tokenizer's token types: by tokenizer_config.json's
/// `model_input_names`; without it, where the tokenizer is of a family's class rather than of the general
/// one.
bool has_token_types(const ModelFolder& folder);

/// The heads that a folder has: those of config.json's `architectures` whose tensors are there; where that
/// names none, by the tensors alone.
std::vector<graph::Head> heads_of(const JsonObject& config, const graph::TensorTable& tensors);

/// Throws Error{unsupported_model} unless the folder has the head, with the tensor that is missing, or the
/// command that serves the head that is there.
void require_head(const ModelFolder& folder, const graph::TensorTable& tensors, graph::Head head);

}  // namespace nybble::runtime
