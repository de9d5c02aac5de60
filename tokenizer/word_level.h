// WordLevel: each word is a token, or unknown.
#pragma once

#include "tokenizer/json_reader.h"
#include "tokenizer/model_token.h"
#include "tokenizer/vocabulary.h"

namespace nybble::tokenizer {

/// Immutable once read.
struct WordLevel {
  Vocabulary vocabulary;
  std::int32_t unknown_id = 0;

  ModelToken token(std::string_view word) const {
    return {vocabulary.id(word).value_or(unknown_id), 0, static_cast<std::uint32_t>(word.size())};
  }
};

inline WordLevel read_word_level(const JsonNode& node) {
  WordLevel out;
  out.vocabulary = read_vocabulary(node.field("vocab"), true);
  const JsonNode unknown = node.field("unk_token");
  const auto id = out.vocabulary.id(unknown.text());
  if (!id) unknown.fail("a token of the vocabulary");
  out.unknown_id = *id;
  return out;
}

}  // namespace nybble::tokenizer
