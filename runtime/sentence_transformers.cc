#include "runtime/sentence_transformers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/mapped_file.h"

namespace nybble::runtime {
namespace {

using nlohmann::json;
using std::filesystem::path;

[[noreturn]] void fail(std::string_view name, const std::string& sentence) {
  throw Error(ErrorCode::unsupported_model, fmt::format("{}: {}", name, sentence));
}

/// An absent file gives an empty object.
JsonObject read_optional(const path& file) {
  if (is_present(file)) return read_json_object(file);
  return {json::object(), file.string()};
}

/// The object at a key, empty where absent or null.
JsonObject object_at(const JsonObject& parent, std::string_view key) {
  if (!parent.has(key)) return {json::object(), parent.name()};
  const json& value = *parent.value().find(key);
  if (!value.is_object()) parent.fail(key, "an object");
  return {value, fmt::format("{}: {}", parent.name(), key)};
}

/// Throws unless the string at `key` is absent, null or `expected`.
void require_string(const JsonObject& config, std::string_view key, std::string_view expected) {
  if (config.string_or(key, expected) != expected) config.fail(key, fmt::format("\"{}\"", expected));
}

path module_path(const JsonObject& entry) {
  const std::string text = entry.string_or("path", "");
  const path relative(text);
  const bool leaves = std::find(relative.begin(), relative.end(), "..") != relative.end();
  const bool odd = text.find('\\') != std::string::npos || text.find('\0') != std::string::npos;
  if (relative.is_absolute() || leaves || odd) entry.fail("path", "a path inside the model folder");
  return relative;
}

ModuleEntry parse_module(const JsonObject& entry) {
  const std::string type = entry.string_or("type", "");
  const auto dot = type.rfind('.');
  ModuleEntry module{dot == std::string::npos ? type : type.substr(dot + 1), module_path(entry)};
  constexpr std::array<std::string_view, 3> kKnown = {"Transformer", "Pooling", "Normalize"};
  if (std::find(kKnown.begin(), kKnown.end(), module.type) == kKnown.end()) {
    entry.fail("type", "a module Transformer, Pooling or Normalize");
  }
  return module;
}

std::string list_types(const std::vector<ModuleEntry>& modules) {
  std::string list;
  for (const ModuleEntry& module : modules) list += (list.empty() ? "" : ", ") + module.type;
  return list.empty() ? "none" : list;
}

void check_order(const std::vector<ModuleEntry>& modules, std::string_view name) {
  constexpr std::array<std::string_view, 3> kOrder = {"Transformer", "Pooling", "Normalize"};
  const bool right_size = modules.size() == 2 || modules.size() == 3;
  const auto same = [](const ModuleEntry& module, std::string_view type) { return module.type == type; };
  if (right_size && std::equal(modules.begin(), modules.end(), kOrder.begin(), same)) return;
  fail(name, "expected the modules Transformer, Pooling and perhaps Normalize, found " + list_types(modules));
}

struct PoolingKey {
  std::string_view key;
  std::string_view mode;
};
constexpr std::array kPoolingKeys = {
    PoolingKey{"pooling_mode_cls_token", "cls"},
    PoolingKey{"pooling_mode_max_tokens", "max"},
    PoolingKey{"pooling_mode_mean_tokens", "mean"},
    PoolingKey{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    PoolingKey{"pooling_mode_weightedmean_tokens", "weightedmean"},
    PoolingKey{"pooling_mode_lasttoken", "lasttoken"},
};

graph::PoolMode pooling_of(const JsonObject& config, std::string_view key, std::string_view mode) {
  if (mode == "mean") return graph::PoolMode::mean;
  if (mode == "cls") return graph::PoolMode::cls;
  fail(config.name(),
       fmt::format("\"{}\": expected the pooling mean or cls, found {}", key, describe_json(mode)));
}

/// The keys before version 6: a boolean a mode; none set means mean.
graph::PoolMode pooling_of_flags(const JsonObject& config) {
  const PoolingKey* active = nullptr;
  for (const PoolingKey& entry : kPoolingKeys) {
    if (!config.boolean_or(entry.key, false)) continue;
    if (active != nullptr) {
      fail(config.name(),
           fmt::format("expected one pooling, found both \"{}\" and \"{}\"", active->key, entry.key));
    }
    active = &entry;
  }
  return active == nullptr ? graph::PoolMode::mean : pooling_of(config, active->key, active->mode);
}

/// "pooling_mode" is a string or an array; an array of one is as that one.
graph::PoolMode pooling_of_mode(const JsonObject& config) {
  const json* mode = &*config.value().find("pooling_mode");
  if (mode->is_array() && mode->size() == 1) mode = &mode->front();
  if (mode->is_array()) config.fail("pooling_mode", "one pooling");
  if (!mode->is_string()) config.fail("pooling_mode", "a string");
  return pooling_of(config, "pooling_mode", mode->get_ref<const std::string&>());
}

/// The names that the configuration of a Transformer module has had.
constexpr std::array<std::string_view, 7> kTransformerConfigs = {
    "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

JsonObject read_transformer_config(const path& folder) {
  for (const std::string_view name : kTransformerConfigs) {
    JsonObject config = read_optional(folder / name);
    if (!config.value().empty()) return config;
  }
  return {json::object(), (folder / kTransformerConfigs.front()).string()};
}

bool normalizer_lower_cases(const json& normalizer) {
  if (!normalizer.is_object()) return false;
  const std::string type =
      normalizer.value("type", json()).is_string() ? normalizer["type"].get<std::string>() : "";
  if (type == "BertNormalizer") return normalizer.value("lowercase", json()) == true;
  if (type != "Sequence" || !normalizer.contains("normalizers")) return type == "Lowercase";
  const json& parts = normalizer["normalizers"];
  return std::any_of(parts.begin(), parts.end(), normalizer_lower_cases);
}

/// Lower-casing twice is lower-casing once, so a tokenizer that does it makes the option idle.
void check_lower_case(const JsonObject& config, const path& folder) {
  const JsonObject tokenizer = read_json_object(folder / "tokenizer.json");
  const auto normalizer = tokenizer.value().find("normalizer");
  if (normalizer != tokenizer.value().end() && normalizer_lower_cases(*normalizer)) return;
  config.fail("do_lower_case", "false, or a tokenizer.json that lower-cases");
}

std::optional<Length> length_at(const JsonObject& config, std::string_view key) {
  const auto tokens = config.count_saturated(key);
  if (!tokens) return std::nullopt;
  if (*tokens == 0) config.fail(key, "at least 1 token");
  return Length{*tokens, fmt::format("{}: \"{}\"", config.name(), key)};
}

/// Version 6 says which output of the model becomes the token embeddings.
void check_output(const JsonObject& config) {
  require_string(config, "transformer_task", "feature-extraction");
  require_string(config, "module_output_name", "token_embeddings");
  const JsonObject text = object_at(object_at(config, "modality_config"), "text");
  require_string(text, "method", "forward");
  require_string(text, "method_output_name", "last_hidden_state");
  if (!object_at(config, "processing_kwargs").value().empty()) config.fail("processing_kwargs", "nothing");
}

}  // namespace

std::vector<ModuleEntry> parse_modules(const json& modules, std::string_view name) {
  if (!modules.is_array()) fail(name, "expected an array of modules, found " + describe_json(modules));
  std::vector<ModuleEntry> entries;
  for (const json& module : modules) {
    entries.push_back(parse_module({module, fmt::format("{}: module {}", name, entries.size())}));
  }
  check_order(entries, name);
  return entries;
}

graph::PoolMode parse_pooling(const JsonObject& config) {
  return config.has("pooling_mode") ? pooling_of_mode(config) : pooling_of_flags(config);
}

void check_normalize(const JsonObject& config) {
  require_string(config, "module_input_name", "sentence_embedding");
  require_string(config, "module_output_name", "sentence_embedding");
}

void check_model_options(const JsonObject& config) {
  require_string(config, "model_type", "SentenceTransformer");
  if (config.has("truncate_dim")) config.fail("truncate_dim", "null: embeddings are not truncated");
  const std::string prompt = config.string_or("default_prompt_name", "");
  if (object_at(config, "prompts").string_or(prompt, "").empty()) return;
  config.fail("default_prompt_name", "null or an empty prompt: prompts are not put before texts");
}

TransformerOptions parse_transformer_options(const JsonObject& config) {
  check_output(config);
  TransformerOptions options;
  options.lower_case = config.boolean_or("do_lower_case", false);
  options.max_seq_length = length_at(config, "max_seq_length");
  // Arguments for the tokenizer win over the module's own key.
  for (const std::string_view key : {"tokenizer_args", "processor_kwargs"}) {
    const auto length = length_at(object_at(config, key), "model_max_length");
    if (length) options.max_seq_length = length;
  }
  return options;
}

std::optional<Length> parse_model_max_length(const JsonObject& tokenizer_config) {
  return length_at(tokenizer_config, "model_max_length");
}

SentenceTransformers read_modules(const path& folder) {
  const path file = folder / "modules.json";
  if (!is_present(file)) return {};
  const auto modules = parse_modules(parse_json(read_text_file(file), file.string()), file.string());
  const path pooling_config = folder / modules[1].path / "config.json";
  SentenceTransformers st{true, parse_pooling(read_json_object(pooling_config)), modules.size() == 3,
                          modules[0].path};
  if (st.normalize && !modules[2].path.empty())
    check_normalize(read_optional(folder / modules[2].path / "config.json"));
  return st;
}

void check_model_options(const path& folder) {
  check_model_options(read_optional(folder / "config_sentence_transformers.json"));
}

LengthLimits read_length_limits(const path& transformer_folder) {
  const JsonObject config = read_transformer_config(transformer_folder);
  const TransformerOptions options = parse_transformer_options(config);
  if (options.lower_case) check_lower_case(config, transformer_folder);
  return {options.max_seq_length,
          parse_model_max_length(read_optional(transformer_folder / "tokenizer_config.json"))};
}

}  // namespace nybble::runtime
