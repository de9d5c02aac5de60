// A normalized text and the words that pre-tokenizers have cut it into so far.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"

namespace nybble::tokenizer {

/// What becomes of the matches of a splitting pattern.
enum class SplitBehavior : std::uint8_t {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous
};

struct PreTokenized {
  AlignedText text;
  std::vector<Span> words;  ///< bytes of `text`, ascending, none of them empty
  /// The text stands for its bytes: where a vocabulary is byte-level, each is a character of its own.
  bool bytes = false;

  std::string_view word(const Span& span) const {
    return std::string_view(text.text).substr(span.start, span.stop - span.start);
  }
};

/// Writes the characters that stand for bytes where `bytes` says so.
void spell_bytes(PreTokenized& text);

/// Cuts one word at the matches in it, which ascend and may be empty, and appends what remains to `words`.
/// `inverted`: what lies between matches counts as the match.
void cut(Span word, const std::vector<Span>& matches, SplitBehavior behavior, bool inverted,
         std::vector<Span>& words);

}  // namespace nybble::tokenizer
