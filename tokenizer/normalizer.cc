#include "tokenizer/normalizer.h"

#include "tokenizer/kinds.h"

namespace nybble::tokenizer {
namespace {

using Part = NormalizerPart;

Part read_strip(const JsonNode& node) {
  return Strip{node.field("strip_left").boolean(), node.field("strip_right").boolean()};
}

Part read_prepend(const JsonNode& node) { return Prepend{std::string(node.field("prepend").text())}; }

constexpr Kind<Part> kKinds[] = {
    {"BertNormalizer", [](const JsonNode& node) -> Part { return read_bert_normalizer(node); }},
    {"NFC",
     [](const JsonNode&) -> Part {
       return UnicodeForm{false, true};
     }},
    {"NFD",
     [](const JsonNode&) -> Part {
       return UnicodeForm{false, false};
     }},
    {"NFKC",
     [](const JsonNode&) -> Part {
       return UnicodeForm{true, true};
     }},
    {"NFKD",
     [](const JsonNode&) -> Part {
       return UnicodeForm{true, false};
     }},
    {"Lowercase", [](const JsonNode&) -> Part { return Lowercase{}; }},
    {"StripAccents", [](const JsonNode&) -> Part { return StripAccents{}; }},
    {"Strip", read_strip},
    {"Replace", [](const JsonNode& node) -> Part { return read_replace(node); }},
    {"Prepend", read_prepend},
    {"Precompiled", [](const JsonNode& node) -> Part { return read_precompiled(node); }},
    {"Nmt", [](const JsonNode&) -> Part { return Nmt{}; }},
    {"ByteLevel", [](const JsonNode&) -> Part { return ByteLevelNormalizer{}; }},
};

}  // namespace

Normalizer read_normalizer(const JsonNode& root) {
  return read_optional_parts<Part>(root, "normalizer", "normalizers", kKinds);
}

AlignedText normalize(const Normalizer& normalizer, AlignedText input) {
  for (const Part& part : normalizer) {
    input = std::visit([&](const auto& p) { return normalize(p, std::move(input)); }, part);
  }
  return input;
}

}  // namespace nybble::tokenizer
