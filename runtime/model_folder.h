// Finds a model's folder and reads everything in it but the weights and the tokenizer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/json_file.h"
#include "runtime/sentence_transformers.h"

namespace nybble::runtime {

/// The folder that a --model option means:
///  - empty: $NYBBLE_MODEL if set and not empty (read as an option), else nybble/all-MiniLM-L6-v2 in
///    $XDG_CACHE_HOME or ~/.cache;
///  - an existing folder: itself;
///  - org/name or org/name@revision: the snapshot in the Hugging Face cache, which is $HF_HUB_CACHE, else
///    $HF_HOME/hub, else huggingface/hub in $XDG_CACHE_HOME or ~/.cache. Nothing is ever downloaded.
/// Reads the environment. Throws Error{io} if there is no such folder.
std::filesystem::path resolve_model(std::string_view model_option);

/// A checked model folder. Plain data.
struct ModelFolder {
  std::filesystem::path dir;              ///< the folder as resolved
  std::filesystem::path transformer_dir;  ///< where config, weights and tokenizer lie; mostly dir itself
  JsonObject config;                      ///< transformer_dir/config.json
  std::filesystem::path tokenizer_json;   ///< transformer_dir/tokenizer.json, which exists
  SentenceTransformers st;
  LengthLimits lengths;
};

/// Throws Error{io} or Error{unsupported_model}: not a folder, a file missing, unreadable or not what
/// it should be; weights only as pytorch_model.bin or ONNX.
ModelFolder read_model_folder(const std::filesystem::path& dir);

/// `name` in `folder`, which must be there; else Error{unsupported_model}, before its reader would say that
/// it cannot be opened.
std::filesystem::path required_file(const std::filesystem::path& folder, std::string_view name);

/// Throws Error{unsupported_model} where `folder` has no safetensors weights, with what it has instead.
void check_weights(const std::filesystem::path& folder);

/// The longest text that the model takes, special tokens included, and where that is written:
/// max_seq_length, else the smaller of model_max_length and usable_positions. A max_seq_length that counts
/// the `reserved_positions` before the first token's, too (514 for RoBERTa's 512), means all usable ones; one
/// above that is an Error{unsupported_model}. usable_positions is at least 1.
Length max_tokens(const ModelFolder& folder, std::size_t usable_positions,
                  std::size_t reserved_positions = 0);

}  // namespace nybble::runtime
