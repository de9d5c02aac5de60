// Replace: each match of a pattern becomes a text.
#pragma once

#include <string>

#include "tokenizer/text_pattern.h"

namespace nybble::tokenizer {

/// Immutable once read.
struct Replace {
  TextPattern pattern;
  std::string content;
};

Replace read_replace(const JsonNode& node);
AlignedText normalize(const Replace& options, AlignedText input);
std::string replaced(const Replace& options, std::string_view text);

}  // namespace nybble::tokenizer
