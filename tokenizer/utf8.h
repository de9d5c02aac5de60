// UTF-8 at the edge: finding and replacing invalid parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nybble::tokenizer {

/// A text whose invalid parts were replaced by U+FFFD, each maximal invalid part once, as Python's
/// decode("utf-8", "replace").
struct RepairedText {
  std::string text;
  std::size_t replaced = 0;    ///< how many parts
  std::size_t first_byte = 0;  ///< offset of the first in the original
  struct Edit {
    std::uint32_t repaired;
    std::uint32_t original;
  };  ///< where each replacement ends, in both texts
  std::vector<Edit> edits;

  /// The offset in the original text for one in the repaired text.
  std::size_t to_original(std::size_t repaired_offset) const;
};

/// True if the whole text is valid UTF-8 (fast path, linear).
bool is_valid_utf8(std::string_view text);
/// Replaces invalid parts.
RepairedText repair_utf8(std::string_view text);

}  // namespace nybble::tokenizer
