// Pre-tokenizers that cut where a code point is of a kind: Whitespace, WhitespaceSplit, Punctuation, Digits,
// UnicodeScripts, CharDelimiterSplit, FixedLength; and Split, which cuts where a pattern matches.
#pragma once

#include <cstdint>

#include "tokenizer/pre_tokenized.h"
#include "tokenizer/text_pattern.h"

namespace nybble::tokenizer {

/// Runs of word characters, and runs of what is neither a word character nor white space.
struct Whitespace {};
/// What lies between white space.
struct WhitespaceSplit {};
struct Punctuation {
  SplitBehavior behavior = SplitBehavior::isolated;
};
/// Runs of digits (general categories N), or each digit.
struct Digits {
  bool individual = false;
};
/// Cuts where the script changes; Han, Hiragana and Katakana count as one.
struct UnicodeScripts {};
struct CharDelimiterSplit {
  char32_t delimiter = 0;
};
struct FixedLength {
  std::uint64_t length = 5;  ///< code points, above 0
};
/// Immutable once read.
struct Split {
  TextPattern pattern;
  SplitBehavior behavior = SplitBehavior::removed;
  bool inverted = false;
};

SplitBehavior read_split_behavior(const JsonNode& node);
Split read_split(const JsonNode& node);
CharDelimiterSplit read_char_delimiter_split(const JsonNode& node);
FixedLength read_fixed_length(const JsonNode& node);

void pre_tokenize(const Whitespace&, PreTokenized& text);
void pre_tokenize(const WhitespaceSplit&, PreTokenized& text);
void pre_tokenize(const Punctuation& options, PreTokenized& text);
void pre_tokenize(const Digits& options, PreTokenized& text);
void pre_tokenize(const UnicodeScripts&, PreTokenized& text);
void pre_tokenize(const CharDelimiterSplit& options, PreTokenized& text);
void pre_tokenize(const FixedLength& options, PreTokenized& text);
void pre_tokenize(const Split& options, PreTokenized& text);

}  // namespace nybble::tokenizer
