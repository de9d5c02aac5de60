// Metaspace: blanks become a visible character, by default U+2581, and words start with it.
#pragma once

#include <string>

#include "tokenizer/json_reader.h"
#include "tokenizer/pre_tokenized.h"

namespace nybble::tokenizer {

struct Metaspace {
  enum class Prepend : std::uint8_t {
    first,  ///< to the word at the start of the text
    never,
    always,  ///< to each word
  };
  char32_t replacement = 0x2581;
  Prepend prepend = Prepend::always;  ///< where the word does not start so already
  bool split = true;                  ///< before each replacement

  std::string character() const {
    std::string out;
    append_code_point(out, replacement);
    return out;
  }
};

Metaspace read_metaspace(const JsonNode& node);

/// `first` needs the origins of the text.
void pre_tokenize(const Metaspace& options, PreTokenized& text);

}  // namespace nybble::tokenizer
