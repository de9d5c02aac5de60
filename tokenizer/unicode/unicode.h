// What the reference tokenizer library believes about each code point, whatever Unicode says today.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nybble::tokenizer::unicode {

/// Bits of Properties::flags.
enum Flag : std::uint16_t {
  kDropped = 1,      ///< removed by clean_text: NUL, U+FFFD, control, format, unassigned, private
  kBlanked = 2,      ///< made a space by clean_text
  kSpace = 4,        ///< white space: ends a word, stripped beside added tokens
  kPunctuation = 8,  ///< a word by itself for BertPreTokenizer
  kIdeograph = 16,   ///< gets spaces on both sides with handle_chinese_chars
  kNonspacing = 32,  ///< removed by strip_accents (meaningful for what NFD leaves alone)
  kWordChar = 64,    ///< \w for the borders of single_word added tokens
};

struct Properties {
  std::int32_t lower_delta;         ///< first code point of the lower-case form, minus this one
  std::uint16_t decomposition;      ///< index into kDecompositions
  std::uint16_t lower_second;       ///< second code point of the lower-case form, or 0
  std::uint8_t decomposition_size;  ///< code points of the full canonical decomposition, 0 if it is itself
  std::uint8_t combining_class;
  std::uint16_t flags;
};

inline constexpr std::size_t kBlockSize = 128;

extern const char32_t kDecompositions[];
extern const Properties kProperties[];
extern const std::uint16_t kBlocks[];
extern const std::uint16_t kIndices[];

/// `c` must be below 0x110000. Hangul syllables have no decomposition here: see hangul_parts().
inline const Properties& properties(char32_t c) {
  return kProperties[kIndices[kBlocks[c / kBlockSize] * kBlockSize + c % kBlockSize]];
}

inline bool has(char32_t c, Flag flag) { return (properties(c).flags & flag) != 0; }

inline bool is_hangul_syllable(char32_t c) { return c - 0xAC00 < 11172; }

/// Writes the two or three jamo of a Hangul syllable and returns how many (Unicode, section 3.12).
inline std::size_t hangul_parts(char32_t c, char32_t (&parts)[3]) {
  const char32_t i = c - 0xAC00;
  parts[0] = 0x1100 + i / 588;
  parts[1] = 0x1161 + i % 588 / 28;
  parts[2] = 0x11A7 + i % 28;
  return i % 28 == 0 ? 2 : 3;
}

}  // namespace nybble::tokenizer::unicode
