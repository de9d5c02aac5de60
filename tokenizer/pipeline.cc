#include "tokenizer/pipeline.h"

#include <span>

namespace nybble::tokenizer {
namespace {

/// A kind of part: the `type` that names it in the file, and its reader.
template <class Part>
struct Kind {
  std::string_view type;
  Part (*read)(const JsonNode&);
};

constexpr Kind<Normalizer> kNormalizers[] = {
    {"BertNormalizer", [](const JsonNode& node) -> Normalizer { return read_bert_normalizer(node); }},
};
constexpr Kind<PreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", [](const JsonNode&) -> PreTokenizer { return BertPreTokenizer{}; }},
};
constexpr Kind<Model> kModels[] = {
    {"WordPiece", [](const JsonNode& node) -> Model { return read_word_piece(node); }},
};
constexpr Kind<PostProcessor> kPostProcessors[] = {
    {"TemplateProcessing", read_template_processing},
    {"BertProcessing", read_bert_processing},
};

template <class Part>
std::string types_of(std::span<const Kind<Part>> kinds) {
  std::string out;
  for (const auto& kind : kinds) out += (out.empty() ? "" : " or ") + std::string(kind.type);
  return out;
}

template <class Part>
Part read_part(const JsonNode& node, std::span<const Kind<Part>> kinds) {
  const JsonNode type = node.field("type");
  for (const auto& kind : kinds) {
    if (kind.type == type.text()) return kind.read(node);
  }
  type.fail(types_of(kinds));
}

/// A part that may be null or missing.
template <class Part>
Part read_optional_part(const JsonNode& root, std::string_view name, std::span<const Kind<Part>> kinds,
                        Part none) {
  const auto node = root.optional_field(name);
  if (!node || node->is_null()) return none;
  if (!node->is_object()) node->fail(types_of(kinds) + " or null");
  return read_part(*node, kinds);
}

/// Files from before models had a type are told by their fields.
Model read_model(const JsonNode& root) {
  const JsonNode node = root.field("model");
  if (!node.optional_field("type") && node.optional_field("max_input_chars_per_word"))
    return read_word_piece(node);
  return read_part<Model>(node, kModels);
}

std::optional<std::int64_t> read_length(const JsonNode& node) {
  const std::uint64_t length = node.unsigned_number();
  if (length > static_cast<std::uint64_t>(INT64_MAX)) node.fail("an integer below 2^63");
  return static_cast<std::int64_t>(length);
}

LeftOverState read_left_over_state(const JsonNode& root) {
  LeftOverState out;
  const auto truncation = root.optional_field("truncation");
  if (truncation && !truncation->is_null())
    out.truncation_max_length = read_length(truncation->field("max_length"));
  const auto padding = root.optional_field("padding");
  if (!padding || padding->is_null()) return out;
  const JsonNode strategy = padding->field("strategy");
  if (strategy.is_object()) out.padding_length = read_length(strategy.field("Fixed"));
  return out;
}

void check_version(const JsonNode& root) {
  const auto version = root.optional_field("version");
  if (version && version->text() != "1.0") version->fail("\"1.0\"");
}

AddedTokens read_added_tokens(const JsonNode& root, const Normalizer& normalizer, const Model& model) {
  const auto normalize_text = [&](std::string_view text) {
    return normalize(normalizer, align(text, 0)).text;
  };
  return AddedTokens(root.optional_field("added_tokens"), vocabulary(model), normalize_text);
}

}  // namespace

Pipeline read_pipeline(const JsonNode& root) {
  check_version(root);
  auto normalizer = read_optional_part<Normalizer>(root, "normalizer", kNormalizers, {});
  auto pre_tokenizer = read_optional_part<PreTokenizer>(root, "pre_tokenizer", kPreTokenizers, {});
  auto model = read_model(root);
  auto added = read_added_tokens(root, normalizer, model);
  auto post_processor =
      read_optional_part<PostProcessor>(root, "post_processor", kPostProcessors, no_post_processor());
  return {normalizer,
          pre_tokenizer,
          std::move(model),
          std::move(added),
          std::move(post_processor),
          read_left_over_state(root)};
}

AlignedText normalize(const Normalizer& normalizer, AlignedText input) {
  const auto* bert = std::get_if<BertNormalizer>(&normalizer);
  return bert != nullptr ? normalize(*bert, input) : std::move(input);
}

void pre_tokenize(const PreTokenizer& pre_tokenizer, std::string_view text, Span within,
                  std::vector<Span>& words) {
  const auto* bert = std::get_if<BertPreTokenizer>(&pre_tokenizer);
  if (bert != nullptr) return pre_tokenize(*bert, text, within, words);
  words.push_back(within);
}

const Vocabulary& vocabulary(const Model& model) {
  return std::visit([](const auto& m) -> const Vocabulary& { return m.vocabulary; }, model);
}

std::string_view type_name(const Model& model) { return kModels[model.index()].type; }

}  // namespace nybble::tokenizer
