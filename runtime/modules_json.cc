#include "runtime/modules_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nybble::runtime {
namespace {

using graph::HeadModule;
using graph::PoolMode;
using nlohmann::json;
using std::filesystem::path;

constexpr std::array<std::string_view, 9> kModules = {"Transformer", "MLMTransformer",  "Pooling",
                                                      "Dense",       "Normalize",       "LayerNorm",
                                                      "Dropout",     "MultiVectorMask", "SpladePooling"};

[[noreturn]] void fail(std::string_view name, const std::string& sentence) {
  throw Error(ErrorCode::unsupported_model, fmt::format("{}: {}", name, sentence));
}

path module_path(const JsonObject& entry) {
  const std::string text = entry.string_or("path", "");
  const path relative(text);
  const bool leaves = std::find(relative.begin(), relative.end(), "..") != relative.end();
  const bool odd = text.find('\\') != std::string::npos || text.find('\0') != std::string::npos;
  if (relative.is_absolute() || leaves || odd) entry.fail("path", "a path inside the model folder");
  return relative;
}

/// A name alone, or one in the packages whose modules these are; anything else is code of the folder's own.
bool is_known_package(std::string_view type) {
  return type.find('.') == std::string_view::npos || type.starts_with("sentence_transformers.") ||
         type.starts_with("pylate.");
}

ModuleEntry parse_module(const JsonObject& entry) {
  const std::string type = entry.string_or("type", "");
  const auto dot = type.rfind('.');
  ModuleEntry module{dot == std::string::npos ? type : type.substr(dot + 1), module_path(entry)};
  if (!is_known_package(type) || std::find(kModules.begin(), kModules.end(), module.type) == kModules.end())
    entry.fail("type", fmt::format("one of sentence-transformers' modules {}", fmt::join(kModules, ", ")));
  return module;
}

// ---- Pooling ----

struct PoolingName {
  std::string_view flag;  ///< before version 6, in the order in which that stands in the row
  std::string_view name;  ///< from version 6 on
  PoolMode mode;
};
constexpr std::array<PoolingName, 6> kPoolings = {{
    {"pooling_mode_cls_token", "cls", PoolMode::cls},
    {"pooling_mode_max_tokens", "max", PoolMode::max},
    {"pooling_mode_mean_tokens", "mean", PoolMode::mean},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", PoolMode::mean_sqrt_len},
    {"pooling_mode_weightedmean_tokens", "weightedmean", PoolMode::weighted_mean},
    {"pooling_mode_lasttoken", "lasttoken", PoolMode::last},
}};

[[noreturn]] void fail_pooling(const JsonObject& config) {
  std::string names;
  for (const PoolingName& pooling : kPoolings)
    names += (names.empty() ? "" : ", ") + std::string(pooling.name);
  config.fail("pooling_mode", fmt::format("one or several of the poolings {}", names));
}

PoolMode pooling_of(const JsonObject& config, const json& name) {
  for (const PoolingName& pooling : kPoolings) {
    if (name == pooling.name) return pooling.mode;
  }
  fail_pooling(config);
}

/// The keys before version 6: a boolean a mode; none set means mean.
std::vector<PoolMode> poolings_of_flags(const JsonObject& config) {
  std::vector<PoolMode> modes;
  for (const PoolingName& pooling : kPoolings) {
    if (config.boolean_or(pooling.flag, false)) modes.push_back(pooling.mode);
  }
  if (modes.empty()) modes.push_back(PoolMode::mean);
  return modes;
}

/// "pooling_mode" is a string or an array.
std::vector<PoolMode> poolings_of_mode(const JsonObject& config) {
  const json& mode = *config.value().find("pooling_mode");
  if (!mode.is_array()) return {pooling_of(config, mode)};
  std::vector<PoolMode> modes;
  for (const json& name : mode) modes.push_back(pooling_of(config, name));
  if (modes.empty()) fail_pooling(config);
  return modes;
}

// ---- modules with weights ----

struct Activation {
  std::string_view name;  ///< the class, as the configuration calls it
  std::string_view kind;  ///< the IR's
};
constexpr std::array<Activation, 6> kActivations = {{
    {"torch.nn.modules.linear.Identity", ""},
    {"torch.nn.modules.activation.Tanh", "tanh"},
    {"torch.nn.modules.activation.ReLU", "relu"},
    {"torch.nn.modules.activation.GELU", "gelu_erf"},
    {"torch.nn.modules.activation.SiLU", "silu"},
    {"torch.nn.modules.activation.Sigmoid", "sigmoid"},
}};

std::string activation_of(const JsonObject& config) {
  const std::string found = config.string_or("activation_function", "torch.nn.modules.activation.Tanh");
  std::string names;
  for (const Activation& activation : kActivations) {
    // Versions of PyTorch differ in where a class lies: torch.nn.Tanh, torch.nn.modules.activation.Tanh.
    const std::string_view name = activation.name.substr(activation.name.rfind('.'));
    if (found.starts_with("torch.nn.") && found.ends_with(name)) return std::string(activation.kind);
    names += (names.empty() ? "" : ", ") + std::string(activation.name);
  }
  config.fail("activation_function", "one of " + names);
}

constexpr std::int64_t kMostFeatures = 65536;

std::int64_t features(const JsonObject& config, std::string_view key) {
  const auto found = config.count(key);
  if (!found || *found < 1 || *found > kMostFeatures)
    config.fail(key, fmt::format("a number from 1 to {}", kMostFeatures));
  return *found;
}

/// A module works on one thing: in and out are the same.
void check_level(const JsonObject& config, Level level) {
  const std::string_view expected = level == Level::tokens ? "token_embeddings" : "sentence_embedding";
  for (const char* key : {"module_input_name", "module_output_name"}) {
    if (config.string_or(key, expected) != expected) config.fail(key, fmt::format("\"{}\"", expected));
  }
}

void read_dense(const JsonObject& config, HeadModule& module) {
  module.kind = HeadModule::Kind::dense;
  module.outputs = features(config, "out_features");
  module.bias = config.boolean_or("bias", true);
  module.activation = activation_of(config);
  if (!config.boolean_or("use_residual", false)) return;
  const bool is_square = features(config, "in_features") == module.outputs;
  module.residual = is_square ? HeadModule::Residual::input : HeadModule::Residual::projected;
}

}  // namespace

std::vector<ModuleEntry> parse_modules(const json& modules, std::string_view name) {
  if (!modules.is_array()) fail(name, "expected an array of modules, found " + describe_json(modules));
  std::vector<ModuleEntry> entries;
  for (const json& module : modules) {
    entries.push_back(parse_module({module, fmt::format("{}: module {}", name, entries.size())}));
  }
  return entries;
}

std::string list_types(const std::vector<ModuleEntry>& modules) {
  std::string list;
  for (const ModuleEntry& module : modules) list += (list.empty() ? "" : ", ") + module.type;
  return list.empty() ? "none" : list;
}

PoolingConfig parse_pooling(const JsonObject& config) {
  return {config.has("pooling_mode") ? poolings_of_mode(config) : poolings_of_flags(config),
          config.boolean_or("include_prompt", true)};
}

HeadModule parse_head_module(const ModuleEntry& entry, std::size_t index, const JsonObject& config,
                             Level level) {
  HeadModule module;
  module.name = fmt::format("module.{}", index);
  module.tensors = entry.path.generic_string() + "/";
  if (entry.type == "Dense") {
    check_level(config, level);
    read_dense(config, module);
  } else if (entry.type == "LayerNorm") {
    if (level == Level::tokens) fail(config.name(), "expected LayerNorm after Pooling, found it before");
    module.kind = HeadModule::Kind::layer_norm;
  } else {
    check_level(config, level);
  }
  return module;
}

}  // namespace nybble::runtime
