// What a sentence-transformers folder says about the way from text to embedding: modules.json and the
// configurations that it points at, as written before version 6 of that library and by version 6.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/importer.h"
#include "runtime/json_file.h"

namespace nybble::runtime {

/// The modules of a folder: a Transformer, a Pooling and perhaps a Normalize, in this order. Without a
/// modules.json: mean pooling, no normalization, everything in the folder itself.
struct SentenceTransformers {
  bool has_modules = false;  ///< there is a modules.json
  graph::PoolMode pooling = graph::PoolMode::mean;
  bool normalize = false;
  std::filesystem::path transformer_path;  ///< where config.json and weights lie, relative; empty: the folder
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

/// Reads modules.json and the modules' own configurations in `folder`. Throws Error{unsupported_model} for an
/// unknown module or pooling, a path that leaves the folder, or a value of the wrong type; Error{io} for a
/// configuration that is missing or unreadable.
SentenceTransformers read_modules(const std::filesystem::path& folder);

/// Refuses what config_sentence_transformers.json can ask for and Nybble would silently not do: another kind
/// of model, a default prompt, truncated embeddings. The file may be absent.
void check_model_options(const std::filesystem::path& folder);

/// Reads the Transformer module's own configuration and tokenizer_config.json in `transformer_folder`; both
/// may be absent. Refuses settings that would change what a text becomes.
LengthLimits read_length_limits(const std::filesystem::path& transformer_folder);

// The same from JSON in memory; the functions above read the files and call these.

/// One module of modules.json.
struct ModuleEntry {
  std::string type;            ///< the last component: "Transformer"
  std::filesystem::path path;  ///< relative to the folder, never leaving it; may be empty
};

/// `modules` is an array of {"type", "path"}; `name` stands for the file in errors.
std::vector<ModuleEntry> parse_modules(const nlohmann::json& modules, std::string_view name);
graph::PoolMode parse_pooling(const JsonObject& config);
/// Whether the Normalize module works on the pooled embedding; anything else is an error.
void check_normalize(const JsonObject& config);
void check_model_options(const JsonObject& config);

/// max_seq_length of a Transformer module's configuration, after refusing what would change the result.
struct TransformerOptions {
  std::optional<Length> max_seq_length;
  bool lower_case = false;  ///< texts are lower-cased before the tokenizer's own normalizer
};
TransformerOptions parse_transformer_options(const JsonObject& config);
std::optional<Length> parse_model_max_length(const JsonObject& tokenizer_config);

}  // namespace nybble::runtime
