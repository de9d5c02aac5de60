// modules.json of a sentence-transformers folder, and the modules between encoder and output.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/importer.h"
#include "runtime/json_file.h"

namespace nybble::runtime {

/// One module of modules.json.
struct ModuleEntry {
  std::string type;            ///< the last component: "Transformer"
  std::filesystem::path path;  ///< relative to the folder, never leaving it; may be empty
};

/// `modules` is an array of {"type", "path"}; `name` stands for the file in errors. Throws
/// Error{unsupported_model} for a module that is unknown or of other packages, or a path that leaves the
/// folder.
std::vector<ModuleEntry> parse_modules(const nlohmann::json& modules, std::string_view name);

/// Their types, for errors: "Transformer, Pooling".
std::string list_types(const std::vector<ModuleEntry>& modules);

/// The poolings of a Pooling module, in the order in which they stand in the row.
struct PoolingConfig {
  std::vector<graph::PoolMode> modes = {graph::PoolMode::mean};
  bool include_prompt = true;
};
PoolingConfig parse_pooling(const JsonObject& config);

/// What a module works on, by its "module_input_name".
enum class Level { tokens, embedding };

/// A Dense, Normalize or LayerNorm module; `level` is what it has to work on, at which its configuration may
/// not say otherwise. `entry.path` names its tensors.
graph::HeadModule parse_head_module(const ModuleEntry& entry, std::size_t index, const JsonObject& config,
                                    Level level);

}  // namespace nybble::runtime
