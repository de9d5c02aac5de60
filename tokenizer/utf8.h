// UTF-8 at the edge: finding and replacing invalid parts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nybble::tokenizer {

/// A text whose invalid parts were replaced by U+FFFD, each maximal invalid part once, as Python's
/// decode("utf-8", "replace").
struct RepairedText {
  std::string text;
  std::size_t replaced = 0;    ///< how many parts
  std::size_t first_byte = 0;  ///< offset of the first in the original; 0 if there is none
  /// Where each replacement ends, in bytes of both texts, ascending.
  struct Edit {
    std::size_t repaired;
    std::size_t original;
  };
  std::vector<Edit> edits;

  /// The offset in the original text for one in the repaired text that lies between two characters.
  std::size_t to_original(std::size_t repaired_offset) const;
};

/// True if the whole text is valid UTF-8: no overlong form, surrogate or code point above U+10FFFF. Linear.
bool is_valid_utf8(std::string_view text);

/// Replaces invalid parts. Linear; the result has at most three times the bytes of `text`.
RepairedText repair_utf8(std::string_view text);

}  // namespace nybble::tokenizer
