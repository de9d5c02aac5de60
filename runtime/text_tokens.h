// From texts as they come, valid UTF-8 or not, to tokens.
#pragma once

#include <string_view>
#include <vector>

#include "nybble/nybble.h"
#include "runtime/text_form.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// One text, or a pair where `second` is given, with offsets into the texts as given.
Tokens tokenize_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                     const std::string_view* second, std::size_t max_tokens);

/// The sequences that `text` becomes; offsets are those of the text without a prompt. A marker and what fills
/// a query up are not among the tokens.
std::vector<Window> text_windows(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                                 const TextForm& form);

}  // namespace nybble::runtime
