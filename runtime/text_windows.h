// Which of a text's tokens each of its sequences has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "runtime/text_form.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// Tokens [begin, end) of a text.
struct TokenRange {
  std::size_t begin = 0, end = 0;
  bool operator==(const TokenRange&) const = default;
};

using TokenOffsets = std::span<const std::pair<std::uint32_t, std::uint32_t>>;

/// Windows of at most `room` tokens, each but the first beginning `overlap` tokens, or a few less, before the
/// end of the one before. None begins or ends between tokens that are parts of one character, which
/// byte-level tokenizers make: those share their offsets. One empty window where there are no tokens. Throws
/// Error{too_long} for a character of more tokens than `room`. `overlap` is less than `room`.
std::vector<TokenRange> cut_windows(TokenOffsets offsets, std::size_t room, std::size_t overlap);

/// The parts of an encoded text: special tokens and the prompt's, those of the text, special tokens.
struct TextParts {
  std::size_t lead = 0;  ///< tokens before the text's own
  std::size_t own = 0;   ///< the text's
  std::size_t trail = 0;
};
/// `prompt_bytes` of what was encoded are the prompt's. A token of both is the text's.
TextParts parts_of(const tokenizer::Encoding& encoding, std::size_t prompt_bytes);

/// The sequences of a text whose offsets, of its own tokens, are `offsets`; they are more than have room
/// where `form` says that this is an error.
std::vector<TokenRange> sequences_of_text(const TextForm& form, const TextParts& parts, TokenOffsets offsets);

}  // namespace nybble::runtime
