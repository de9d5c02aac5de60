// Normalizers that look at one code point at a time: Lowercase, StripAccents, Strip, Prepend, Nmt, ByteLevel.
#pragma once

#include <array>
#include <string>

#include "tokenizer/aligned_text.h"

namespace nybble::tokenizer {

struct Lowercase {};
/// Drops marks (general categories M).
struct StripAccents {};
/// Drops white space at the ends.
struct Strip {
  bool left = false;
  bool right = false;
};
/// Puts a text before any that is not empty.
struct Prepend {
  std::string prefix;
};
/// Drops control characters and makes blanks of others, as SentencePiece's nmt rules do.
struct Nmt {};
/// Writes each byte as the character that stands for it.
struct ByteLevelNormalizer {};

AlignedText normalize(const Lowercase&, AlignedText input);
AlignedText normalize(const StripAccents&, AlignedText input);
AlignedText normalize(const Strip& options, AlignedText input);
AlignedText normalize(const Prepend& options, AlignedText input);
AlignedText normalize(const Nmt&, AlignedText input);
AlignedText normalize(const ByteLevelNormalizer&, AlignedText input);

/// `prefix` before the text, with the origin of its first code point. The text must not be empty.
AlignedText with_prefix(std::string_view prefix, const AlignedText& input);

/// The characters that stand for bytes in byte-level vocabularies: printable ones for themselves, the others
/// from U+0100 on, in their order.
const std::array<char32_t, 256>& byte_characters();
/// The byte that a character stands for, or -1.
int byte_of_character(char32_t c);

}  // namespace nybble::tokenizer
