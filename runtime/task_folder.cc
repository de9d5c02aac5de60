#include "runtime/task_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "graph/import/heads.h"
#include "runtime/mapped_file.h"
#include "runtime/safetensors.h"

namespace nybble {
namespace runtime {
namespace {

using graph::Head;
using std::filesystem::path;

struct HeadKind {
  Head head;
  std::string_view architecture;  ///< how the names of transformers' classes end
  std::string_view name;
  std::string_view command;
};

constexpr std::array kHeadKinds = {
    HeadKind{Head::sequence_classification, "ForSequenceClassification", "sequence classification",
             "nybble classify (nybble rerank where it has one label)"},
    HeadKind{Head::token_classification, "ForTokenClassification", "token classification", "nybble ner"},
    HeadKind{Head::masked_lm, "ForMaskedLM", "masked language modelling", "nybble fill-mask"},
};

const HeadKind& kind_of(Head head) {
  return *std::find_if(kHeadKinds.begin(), kHeadKinds.end(),
                       [head](const HeadKind& kind) { return kind.head == head; });
}

std::optional<JsonObject> optional_object(const path& file) {
  if (!is_present(file)) return std::nullopt;
  return read_json_object(file);
}

std::vector<std::string> labels_of_map(const JsonObject& config) {
  const nlohmann::json& map = *config.value().find("id2label");
  if (!map.is_object() || map.empty()) config.fail("id2label", "an object with a name for each label");
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto found = map.find(std::to_string(i));
    if (found == map.end() || !found->is_string())
      config.fail("id2label", fmt::format("names for the ids 0 to {}", map.size() - 1));
    labels.push_back(found->get<std::string>());
  }
  return labels;
}

/// The activation that a string such as "torch.nn.modules.linear.Identity" names.
Scoring scoring_of(const JsonObject& config, std::string_view key, const std::string& name) {
  const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
  if (name.starts_with("torch.") && last == "Sigmoid") return Scoring::sigmoid;
  if (name.starts_with("torch.") && last == "Identity") return Scoring::none;
  config.fail(key, "torch's Sigmoid or Identity");
}

std::optional<Scoring> named_scoring(const JsonObject& config, std::string_view key) {
  const auto name = config.string(key);
  if (!name) return std::nullopt;
  return scoring_of(config, key, *name);
}

/// As versions 4 and 5 wrote it.
std::optional<Scoring> nested_scoring(const JsonObject& config) {
  const auto nested = config.value().find("sentence_transformers");
  if (nested == config.value().end() || !nested->is_object()) return std::nullopt;
  return named_scoring({*nested, config.name() + ": sentence_transformers"}, "activation_fn");
}

std::vector<std::string> architectures(const JsonObject& config) {
  std::vector<std::string> names;
  const auto found = config.value().find("architectures");
  if (found == config.value().end() || !found->is_array()) return names;
  for (const nlohmann::json& name : *found) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

/// ForPreTraining is a masked language model with a head more, but for ELECTRA's.
bool names_head(const std::string& architecture, const HeadKind& kind) {
  return architecture.ends_with(kind.architecture) ||
         (kind.head == Head::masked_lm && architecture.ends_with("ForPreTraining"));
}

std::string other_heads(const std::vector<Head>& heads) {
  std::string text;
  for (const Head head : heads) {
    const HeadKind& kind = kind_of(head);
    text += fmt::format("{}one for {}, which {} serves", text.empty() ? "" : "; ", kind.name, kind.command);
  }
  return text;
}

}  // namespace

void refuse_cross_encoder(const path& dir) {
  const auto options = optional_object(dir / "config_sentence_transformers.json");
  if (!options || options->string_or("model_type", "") != "CrossEncoder") return;
  throw Error(
      ErrorCode::unsupported_model,
      fmt::format("{}: expected a model for embeddings, found a CrossEncoder, which nybble rerank and "
                  "nybble classify serve",
                  dir.string()));
}

path transformer_path(const path& dir) {
  const path file = dir / "modules.json";
  if (!is_present(file)) return {};
  const nlohmann::json modules = parse_json(read_text_file(file), file.string());
  const bool has_first = modules.is_array() && !modules.empty() && modules[0].is_object();
  const bool has_path = has_first && modules[0].contains("path") && modules[0]["path"].is_string();
  const path relative = has_path ? modules[0]["path"].get<std::string>() : "..";
  if (!relative.is_absolute() && std::find(relative.begin(), relative.end(), "..") == relative.end())
    return relative;
  throw Error(
      ErrorCode::unsupported_model,
      fmt::format("{}: expected an array of modules, the first with a path inside the folder, found {}",
                  file.string(), describe_json(modules)));
}

ModelFolder read_task_folder(const path& dir) {
  const path relative = transformer_path(dir), inner = relative.empty() ? dir : dir / relative;
  JsonObject config = read_json_object(required_file(inner, "config.json"));
  ModelFolder folder{dir, inner, std::move(config), required_file(inner, "tokenizer.json"), {}, {}};
  check_weights(inner);
  folder.lengths = read_length_limits(inner, TransformerUse::head);
  return folder;
}

std::vector<std::string> read_labels(const JsonObject& config) {
  if (config.has("id2label")) return labels_of_map(config);
  const std::int64_t count = config.count("num_labels").value_or(2);
  if (count < 1 || count > 65536) config.fail("num_labels", "1 to 65536 labels");
  std::vector<std::string> labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  return labels;
}

Scoring classifier_scoring(const JsonObject& config, std::size_t labels) {
  const std::string kind = config.string_or("problem_type", "");
  if (kind == "regression") return Scoring::none;
  if (kind == "multi_label_classification" || labels == 1) return Scoring::sigmoid;
  if (kind.empty() || kind == "single_label_classification") return Scoring::softmax;
  config.fail("problem_type", "regression, single_label_classification or multi_label_classification");
}

Scoring cross_encoder_scoring(const ModelFolder& folder) {
  if (auto found = nested_scoring(folder.config)) return *found;
  if (auto found = named_scoring(folder.config, "sbert_ce_default_activation_function")) return *found;
  const auto options = optional_object(folder.dir / "config_sentence_transformers.json");
  if (!options) return Scoring::sigmoid;
  return named_scoring(*options, "activation_fn").value_or(Scoring::sigmoid);
}

bool has_token_types(const ModelFolder& folder) {
  const auto config = optional_object(folder.transformer_dir / "tokenizer_config.json");
  if (!config) return true;
  const auto names = config->value().find("model_input_names");
  if (names != config->value().end() && names->is_array())
    return std::find(names->begin(), names->end(), "token_type_ids") != names->end();
  const std::string kind = config->string_or("tokenizer_class", "");
  return kind != "PreTrainedTokenizerFast" && kind != "TokenizersBackend";
}

std::vector<Head> heads_of(const JsonObject& config, const graph::TensorTable& tensors) {
  const std::string model_type = config.string_or("model_type", "");
  const std::vector<std::string> names = architectures(config);
  std::vector<Head> heads;
  for (const HeadKind& kind : kHeadKinds) {
    const bool is_named = std::any_of(names.begin(), names.end(),
                                      [&](const std::string& name) { return names_head(name, kind); });
    const std::string tensor = graph::head_tensor(model_type, kind.head, tensors);
    if ((is_named || names.empty()) && tensors.contains(tensor)) heads.push_back(kind.head);
  }
  return heads;
}

void require_head(const ModelFolder& folder, const graph::TensorTable& tensors, Head head) {
  const std::vector<Head> found = heads_of(folder.config, tensors);
  if (std::find(found.begin(), found.end(), head) != found.end()) return;
  const HeadKind& wanted = kind_of(head);
  const std::string tensor = graph::head_tensor(folder.config.string_or("model_type", ""), head, tensors);
  const std::string expected =
      tensor.empty()
          ? "a model"
          : fmt::format("a model with the tensor {} and the architecture …{}", tensor, wanted.architecture);
  const std::string others =
      found.empty() ? "none; nybble embed serves encoders without a head" : other_heads(found);
  throw Error(ErrorCode::unsupported_model, fmt::format("{}: expected {} for {}, found {}",
                                                        folder.dir.string(), expected, wanted.name, others));
}

}  // namespace runtime

std::string_view task_name(Task task) {
  constexpr std::array<std::string_view, 5> kNames = {"embed", "classify", "rerank", "ner", "fill-mask"};
  return kNames[static_cast<std::size_t>(task)];
}

std::vector<Task> tasks_of(std::string_view model) {
  const runtime::ModelFolder folder = runtime::read_task_folder(runtime::resolve_model(model));
  const graph::TensorTable tensors = runtime::Weights(folder.transformer_dir).tensor_table();
  const auto options = runtime::optional_object(folder.dir / "config_sentence_transformers.json");
  std::vector<Task> tasks;
  if (!options || options->string_or("model_type", "") != "CrossEncoder") tasks.push_back(Task::embed);
  for (const graph::Head head : runtime::heads_of(folder.config, tensors)) {
    if (head == graph::Head::token_classification) tasks.push_back(Task::ner);
    if (head == graph::Head::masked_lm) tasks.push_back(Task::fill_mask);
    if (head != graph::Head::sequence_classification) continue;
    tasks.push_back(Task::classify);
    if (runtime::read_labels(folder.config).size() == 1) tasks.push_back(Task::rerank);
  }
  return tasks;
}

}  // namespace nybble
