// ByteLevel as a pre-tokenizer: cuts as GPT-2 does, and lets each byte stand for itself.
#pragma once

#include "tokenizer/json_reader.h"
#include "tokenizer/pre_tokenized.h"

namespace nybble::tokenizer {

struct ByteLevel {
  bool add_prefix_space = true;  ///< before a word that does not start with one
  bool use_regex = true;
};

ByteLevel read_byte_level(const JsonNode& node);
void pre_tokenize(const ByteLevel& options, PreTokenized& text);

/// Appends the pieces of a word, all of it, by GPT-2's expression:
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// Linear.
void cut_as_gpt2(std::string_view text, Span word, std::vector<Span>& words);

}  // namespace nybble::tokenizer
