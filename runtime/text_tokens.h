// From texts as they come, valid UTF-8 or not, to tokens.
#pragma once

#include <string_view>

#include "nybble/nybble.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// One text, or a pair where `second` is given, with offsets into the texts as given.
Tokens tokenize_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                     const std::string_view* second, std::size_t max_tokens);

}  // namespace nybble::runtime
