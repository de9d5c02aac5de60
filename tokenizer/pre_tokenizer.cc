#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "tokenizer/kinds.h"

namespace nybble::tokenizer {
namespace {

using Part = PreTokenizerPart;

Part read_punctuation(const JsonNode& node) {
  const auto behavior = node.optional_field("behavior");
  return behavior ? Punctuation{read_split_behavior(*behavior)} : Punctuation{};
}

constexpr Kind<Part> kKinds[] = {
    {"BertPreTokenizer", [](const JsonNode&) -> Part { return BertPreTokenizer{}; }},
    {"ByteLevel", [](const JsonNode& node) -> Part { return read_byte_level(node); }},
    {"Metaspace", [](const JsonNode& node) -> Part { return read_metaspace(node); }},
    {"Whitespace", [](const JsonNode&) -> Part { return Whitespace{}; }},
    {"WhitespaceSplit", [](const JsonNode&) -> Part { return WhitespaceSplit{}; }},
    {"Split", [](const JsonNode& node) -> Part { return read_split(node); }},
    {"Punctuation", read_punctuation},
    {"Digits",
     [](const JsonNode& node) -> Part { return Digits{node.field("individual_digits").boolean()}; }},
    {"UnicodeScripts", [](const JsonNode&) -> Part { return UnicodeScripts{}; }},
    {"CharDelimiterSplit", [](const JsonNode& node) -> Part { return read_char_delimiter_split(node); }},
    {"FixedLength", [](const JsonNode& node) -> Part { return read_fixed_length(node); }},
};

}  // namespace

PreTokenizer read_pre_tokenizer(const JsonNode& root) {
  return read_optional_parts<Part>(root, "pre_tokenizer", "pretokenizers", kKinds);
}

bool needs_origins(const PreTokenizer& pre_tokenizer) {
  return std::any_of(pre_tokenizer.begin(), pre_tokenizer.end(), [](const Part& part) {
    const auto* metaspace = std::get_if<Metaspace>(&part);
    return metaspace != nullptr && metaspace->prepend == Metaspace::Prepend::first;
  });
}

void pre_tokenize(const PreTokenizer& pre_tokenizer, PreTokenized& text) {
  for (const Part& part : pre_tokenizer) {
    std::visit([&](const auto& p) { pre_tokenize(p, text); }, part);
  }
}

}  // namespace nybble::tokenizer
