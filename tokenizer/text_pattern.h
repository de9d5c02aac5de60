// What Replace and Split look for: a text or a regular expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_reader.h"
#include "tokenizer/regex.h"

namespace nybble::tokenizer {

/// Immutable once read.
struct TextPattern {
  std::string text;  ///< looked for as it is, unless there is a
  std::optional<Regex> regex;

  bool may_match_nothing() const { return regex && regex->may_match_nothing(); }
  /// Appends the matches in `inside`, from left to right.
  void find_all(std::string_view inside, std::vector<Span>& matches) const;
};

/// Reads {"String": TEXT} or {"Regex": EXPRESSION}.
TextPattern read_text_pattern(const JsonNode& node);

}  // namespace nybble::tokenizer
