// What a sentence-transformers folder says about the way from text to embedding: modules.json and the
// configurations that it points at, as written before version 6 of that library and by version 6, by PyLate,
// and by Stanford's ColBERT.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/importer.h"
#include "runtime/json_file.h"
#include "runtime/modules_json.h"
#include "runtime/multi_vector.h"
#include "runtime/prompts.h"

namespace nybble::runtime {

/// Sparse embeddings (SPLADE; Formal et al. 2021): a weight for each token of the vocabulary.
struct SparsePooling {
  bool sums = false;        ///< over a sequence's tokens; else the greatest
  bool logs_twice = false;  ///< log1p(log1p(relu(x))); else log1p(relu(x))
  bool operator==(const SparsePooling&) const = default;
};

/// The modules of a folder. Without a modules.json: mean pooling, no normalization, everything in the folder
/// itself.
struct SentenceTransformers {
  bool has_modules = false;                ///< there is a modules.json
  std::filesystem::path transformer_path;  ///< where config.json and weights lie, relative; empty: the folder
  std::vector<graph::HeadModule> token_modules, pooled_modules;  ///< Dropout does nothing and is none of them
  PoolingConfig pooling;
  bool normalize = false;  ///< the last module normalizes; it is none of the others
  std::vector<std::filesystem::path> weight_folders;  ///< relative, of modules that have weights
  std::optional<MultiVector> multi_vector;            ///< what the model gives instead of a pooled row
  std::optional<SparsePooling> sparse;                ///< likewise
  Prompts prompts;
  std::optional<std::int64_t> dimensions;  ///< rows are cut to these
};

/// A length in tokens, special tokens included, and where it was found.
struct Length {
  std::int64_t tokens = 0;
  std::string source;  ///< `FILE: "KEY"`
};

/// What the configurations say about the length of a text.
struct LengthLimits {
  std::optional<Length> max_seq_length;  ///< sentence_bert_config.json (or its older names), before version 6
  std::optional<Length> model_max_length;  ///< tokenizer_config.json; 2^63 - 1 where it says 1e30, "no limit"
};

/// What a Transformer module's output is for: a row a text, the logits of a vocabulary, or a head's.
enum class TransformerUse { embedding, sparse, head };

/// Reads modules.json, the modules' own configurations and config_sentence_transformers.json in `folder`; or,
/// of a folder without modules.json whose config.json is that of Stanford's ColBERT, artifact.metadata.
/// Throws Error{unsupported_model} for an unknown module or pooling, an order of modules that makes no
/// embedding, a path that leaves the folder, or a value of the wrong type; Error{io} for a configuration that
/// is missing or unreadable.
SentenceTransformers read_modules(const std::filesystem::path& folder);

/// Reads the Transformer module's own configuration and tokenizer_config.json in `transformer_folder`; both
/// may be absent. Refuses settings that would change what a text becomes, and for embeddings and sparse rows
/// another output of the model.
LengthLimits read_length_limits(const std::filesystem::path& transformer_folder,
                                TransformerUse use = TransformerUse::embedding);

// The same from JSON in memory; the functions above read the files and call these.

/// max_seq_length of a Transformer module's configuration, after refusing what would change the result.
struct TransformerOptions {
  std::optional<Length> max_seq_length;
  bool lower_case = false;  ///< texts are lower-cased before the tokenizer's own normalizer
};
TransformerOptions parse_transformer_options(const JsonObject& config,
                                             TransformerUse use = TransformerUse::embedding);
std::optional<Length> parse_model_max_length(const JsonObject& tokenizer_config);
SparsePooling parse_sparse_pooling(const JsonObject& config);
/// config_sentence_transformers.json: prompts and dimensions; its model_type must be that of the modules.
void take_model_options(const JsonObject& config, SentenceTransformers& st);

}  // namespace nybble::runtime
