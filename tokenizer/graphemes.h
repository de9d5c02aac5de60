// Where graphemes end (Unicode, annex 29, extended grapheme clusters).
#pragma once

#include <cstddef>
#include <string_view>

namespace nybble::tokenizer {

/// The end of the grapheme that starts at `at`, which must be below text.size(). Linear.
std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace nybble::tokenizer
