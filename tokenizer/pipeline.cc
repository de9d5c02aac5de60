#include "tokenizer/pipeline.h"

#include "tokenizer/kinds.h"

namespace nybble::tokenizer {
namespace {

constexpr Kind<Model> kModels[] = {
    {"WordPiece", [](const JsonNode& node) -> Model { return read_word_piece(node); }},
    {"BPE", [](const JsonNode& node) -> Model { return read_bpe(node); }},
    {"Unigram", [](const JsonNode& node) -> Model { return read_unigram(node); }},
    {"WordLevel", [](const JsonNode& node) -> Model { return read_word_level(node); }},
};

/// Files from before models had a type are told by their fields.
Model read_model(const JsonNode& root) {
  const JsonNode node = root.field("model");
  if (!node.optional_field("type")) {
    if (node.optional_field("merges")) return read_bpe(node);
    if (node.optional_field("max_input_chars_per_word")) return read_word_piece(node);
  }
  return read_part<Model>(node, kModels);
}

std::size_t read_length(const JsonNode& node) {
  const std::uint64_t length = node.unsigned_number();
  if (length > static_cast<std::uint64_t>(INT64_MAX)) node.fail("an integer below 2^63");
  return length;
}

/// The index of a name in a list.
template <std::size_t N>
std::size_t read_choice(const JsonNode& node, const std::string_view (&names)[N]) {
  std::string expected;
  for (std::size_t i = 0; i < N; ++i) {
    if (node.text() == names[i]) return i;
    expected += (i == 0 ? "\"" : " or \"") + std::string(names[i]) + "\"";
  }
  node.fail(expected);
}

Truncation read_truncation(const JsonNode& node) {
  constexpr std::string_view kStrategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
  constexpr std::string_view kDirections[] = {"Right", "Left"};
  Truncation out;
  out.max_tokens = read_length(node.field("max_length"));
  if (const auto strategy = node.optional_field("strategy"))
    out.strategy = static_cast<Truncation::Strategy>(read_choice(*strategy, kStrategies));
  if (const auto stride = node.optional_field("stride")) out.stride = read_length(*stride);
  if (const auto direction = node.optional_field("direction"))
    out.side = static_cast<Truncation::Side>(read_choice(*direction, kDirections));
  return out;
}

Padding read_padding(const JsonNode& node) {
  constexpr std::string_view kDirections[] = {"Right", "Left"};
  Padding out;
  const JsonNode strategy = node.field("strategy");
  if (strategy.is_object()) out.length = read_length(strategy.field("Fixed"));
  if (const auto direction = node.optional_field("direction"))
    out.side = static_cast<Truncation::Side>(read_choice(*direction, kDirections));
  const auto multiple = node.optional_field("pad_to_multiple_of");
  if (multiple && !multiple->is_null()) out.multiple_of = read_length(*multiple);
  if (const auto id = node.optional_field("pad_id")) out.id = id->id();
  if (const auto type = node.optional_field("pad_type_id")) out.type_id = type->id();
  return out;
}

LeftOverState read_left_over_state(const JsonNode& root) {
  LeftOverState out;
  const auto truncation = root.optional_field("truncation");
  if (truncation && !truncation->is_null()) out.truncation = read_truncation(*truncation);
  const auto padding = root.optional_field("padding");
  if (padding && !padding->is_null()) out.padding = read_padding(*padding);
  return out;
}

void check_version(const JsonNode& root) {
  const auto version = root.optional_field("version");
  if (version && version->text() != "1.0") version->fail("\"1.0\"");
}

AddedTokens read_added_tokens(const JsonNode& root, const Normalizer& normalizer, const Model& model) {
  const auto normalize_text = [&](std::string_view text) {
    return normalize(normalizer, align(text, 0, AlignedText::Origins::none)).text;
  };
  return AddedTokens(root.optional_field("added_tokens"), vocabulary(model), normalize_text);
}

}  // namespace

Pipeline read_pipeline(const JsonNode& root) {
  check_version(root);
  auto normalizer = read_normalizer(root);
  auto pre_tokenizer = read_pre_tokenizer(root);
  auto model = read_model(root);
  auto added = read_added_tokens(root, normalizer, model);
  auto post_processor = read_post_processor(root);
  return {std::move(normalizer),     std::move(pre_tokenizer), std::move(model),          std::move(added),
          std::move(post_processor), read_decoder(root),       read_left_over_state(root)};
}

const Vocabulary& vocabulary(const Model& model) {
  return std::visit([](const auto& m) -> const Vocabulary& { return m.vocabulary; }, model);
}

std::string_view type_name(const Model& model) { return kModels[model.index()].type; }

}  // namespace nybble::tokenizer
