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
void check_output(const JsonObject& config, bool for_sparse) {
  require_string(config, "transformer_task", for_sparse ? "fill-mask" : "feature-extraction");
  require_string(config, "module_output_name", "token_embeddings");
  const JsonObject text = object_at(object_at(config, "modality_config"), "text");
  require_string(text, "method", "forward");
  require_string(text, "method_output_name", for_sparse ? "logits" : "last_hidden_state");
}

// ---- modules ----

/// Reads modules one after the other into a SentenceTransformers.
class ModuleReader {
 public:
  ModuleReader(const path& folder, const path& file)
      : folder_(folder),
        file_(file.string()),
        modules_(parse_modules(parse_json(read_text_file(file), file_), file_)) {}

  SentenceTransformers read() {
    st_.has_modules = true;
    const bool begins = !modules_.empty() && modules_[0].type.ends_with("Transformer");
    if (!begins) fail_order();
    st_.transformer_path = modules_[0].path;
    find_kind();
    for (index_ = 1; index_ < modules_.size(); ++index_) read_module(modules_[index_]);
    if (!st_.multi_vector && !is_pooled_) fail_order();
    take_last_normalize();
    return std::move(st_);
  }

 private:
  [[noreturn]] void fail_order() const {
    fail(file_,
         "expected the modules Transformer, Pooling and perhaps Dense and Normalize, or Transformer and "
         "SpladePooling, or Transformer, Dense and MultiVectorMask, found " +
             list_types(modules_));
  }

  bool has(std::string_view type) const {
    return std::any_of(modules_.begin(), modules_.end(),
                       [type](const auto& entry) { return entry.type == type; });
  }

  /// Multi-vector models have a mask of what is scored; PyLate's say it in config_sentence_transformers.json.
  void find_kind() {
    const JsonObject options = read_optional(folder_ / "config_sentence_transformers.json");
    const bool is_pylate = options.string_or("model_type", "") == "ColBERT";
    if (is_pylate) st_.multi_vector = parse_pylate(options);
    if (!is_pylate && has("MultiVectorMask")) st_.multi_vector.emplace();
    if (!st_.multi_vector) return;
    take_transformer_options(read_transformer_config(folder_ / st_.transformer_path), *st_.multi_vector);
    // PyLate normalizes without a module that says so.
    st_.normalize = is_pylate;
  }

  void read_module(const ModuleEntry& entry) {
    if (entry.type == "Dropout") return;  // idle but in training
    if (entry.type == "Pooling" && !st_.multi_vector && !is_pooled_) {
      st_.pooling = parse_pooling(read_json_object(folder_ / entry.path / "config.json"));
      is_pooled_ = true;
    } else if (entry.type == "SpladePooling" && !st_.multi_vector && index_ == 1 && modules_.size() == 2) {
      st_.sparse = parse_sparse_pooling(read_json_object(folder_ / entry.path / "config.json"));
      is_pooled_ = true;
    } else if (entry.type == "MultiVectorMask" && st_.multi_vector) {
      take_mask(read_json_object(folder_ / entry.path / "config.json"), *st_.multi_vector);
    } else if (entry.type == "Dense" || entry.type == "LayerNorm" || entry.type == "Normalize") {
      read_head_module(entry);
    } else {
      fail_order();
    }
  }

  void read_head_module(const ModuleEntry& entry) {
    const bool has_weights = entry.type != "Normalize";
    if (has_weights && entry.path.empty())
      fail(file_, fmt::format("expected a path of its own for module {}, found none", index_));
    // Before version 6 a Normalize has no configuration, and often no folder.
    const path config = folder_ / entry.path / "config.json";
    const Level level = is_pooled_ ? Level::embedding : Level::tokens;
    const JsonObject options = has_weights          ? read_json_object(config)
                               : entry.path.empty() ? JsonObject(json::object(), config.string())
                                                    : read_optional(config);
    auto& modules = is_pooled_ ? st_.pooled_modules : st_.token_modules;
    modules.push_back(parse_head_module(entry, index_, options, level));
    if (has_weights) st_.weight_folders.push_back(entry.path);
  }

  void take_last_normalize() {
    auto& modules = st_.multi_vector ? st_.token_modules : st_.pooled_modules;
    if (modules.empty() || modules.back().kind != graph::HeadModule::Kind::normalize) return;
    st_.normalize = true;
    modules.pop_back();
  }

  const path& folder_;
  std::string file_;
  std::vector<ModuleEntry> modules_;
  SentenceTransformers st_;
  std::size_t index_ = 0;
  bool is_pooled_ = false;
};

/// A projection whose weights stand beside the encoder's.
SentenceTransformers read_stanford_colbert(const path& folder) {
  SentenceTransformers st;
  st.multi_vector = parse_artifact_metadata(read_optional(folder / "artifact.metadata"));
  graph::HeadModule projection;
  projection.kind = graph::HeadModule::Kind::dense;
  projection.name = "projection";
  projection.bias = false;
  st.token_modules = {projection};
  st.normalize = true;
  return st;
}

}  // namespace

TransformerOptions parse_transformer_options(const JsonObject& config, TransformerUse use) {
  // Which head a folder has its config.json says.
  if (use != TransformerUse::head) check_output(config, use == TransformerUse::sparse);
  if (!object_at(config, "processing_kwargs").value().empty()) config.fail("processing_kwargs", "nothing");
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

SparsePooling parse_sparse_pooling(const JsonObject& config) {
  const std::string strategy = config.string_or("pooling_strategy", "max");
  if (strategy != "max" && strategy != "sum") config.fail("pooling_strategy", "\"max\" or \"sum\"");
  const std::string activation = config.string_or("activation_function", "relu");
  if (activation != "relu" && activation != "log1p_relu")
    config.fail("activation_function", "\"relu\" or \"log1p_relu\"");
  return {strategy == "sum", activation == "log1p_relu"};
}

void take_model_options(const JsonObject& config, SentenceTransformers& st) {
  const std::string_view type = st.multi_vector ? "MultiVectorEncoder"
                                : st.sparse     ? "SparseEncoder"
                                                : "SentenceTransformer";
  if (config.string_or("model_type", type) != "ColBERT" || !st.multi_vector)
    require_string(config, "model_type", type);
  st.prompts = parse_prompts(config);
  const auto dimensions = config.count("truncate_dim");
  if (dimensions && (*dimensions < 1 || st.multi_vector || st.sparse))
    config.fail("truncate_dim", "null, or a number of at least 1 where the model pools");
  st.dimensions = dimensions;
}

SentenceTransformers read_modules(const path& folder) {
  const path file = folder / "modules.json";
  if (is_present(file)) {
    SentenceTransformers st = ModuleReader(folder, file).read();
    take_model_options(read_optional(folder / "config_sentence_transformers.json"), st);
    return st;
  }
  const path config = folder / "config.json";
  if (is_present(config) && is_stanford_colbert(read_json_object(config)))
    return read_stanford_colbert(folder);
  return {};
}

LengthLimits read_length_limits(const path& transformer_folder, TransformerUse use) {
  const JsonObject config = read_transformer_config(transformer_folder);
  const TransformerOptions options = parse_transformer_options(config, use);
  if (options.lower_case) check_lower_case(config, transformer_folder);
  return {options.max_seq_length,
          parse_model_max_length(read_optional(transformer_folder / "tokenizer_config.json"))};
}

}  // namespace nybble::runtime
