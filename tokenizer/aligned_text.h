// A text on its way through the normalizer, with the place in the given text that each byte came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/code_points.h"

namespace nybble::tokenizer {

/// [start, stop) in bytes; of the text as given unless said otherwise.
struct Span {
  std::uint32_t start = 0;
  std::uint32_t stop = 0;
};

struct AlignedText {
  std::string text;
  std::vector<Span> from;  ///< one a byte of `text`; the bytes of a code point have the same

  void append(char32_t c, Span origin) {
    const std::size_t before = text.size();
    append_code_point(text, c);
    from.insert(from.end(), text.size() - before, origin);
  }

  /// The part of the given text that [begin, end) of `text` stands for; the range must not be empty.
  Span origin(std::size_t begin, std::size_t end) const { return {from[begin].start, from[end - 1].stop}; }
};

/// `piece` unchanged, starting at byte `start` of the text as given.
inline AlignedText align(std::string_view piece, std::uint32_t start) {
  AlignedText out;
  out.text = piece;
  out.from.reserve(piece.size());
  for (std::size_t at = 0; at < piece.size();) {
    const std::uint32_t size = read_code_point(piece, at).size;
    const auto begin = static_cast<std::uint32_t>(start + at);
    out.from.insert(out.from.end(), size, Span{begin, begin + size});
    at += size;
  }
  return out;
}

}  // namespace nybble::tokenizer
