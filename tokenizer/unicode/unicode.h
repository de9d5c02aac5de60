// What the reference tokenizer library believes about each code point, whatever Unicode says today.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nybble::tokenizer::unicode {

/// Bits of Properties::flags.
enum Flag : std::uint16_t {
  kDropped = 1,           ///< removed by clean_text: NUL, U+FFFD, control, format, unassigned, private
  kBlanked = 2,           ///< made a space by clean_text
  kSpace = 4,             ///< white space: ends a word, stripped beside added tokens; \s
  kPunctuation = 8,       ///< a word by itself for BertPreTokenizer
  kIdeograph = 16,        ///< gets spaces on both sides with handle_chinese_chars
  kNonspacing = 32,       ///< removed by strip_accents (meaningful for what NFD leaves alone)
  kWordChar = 64,         ///< \w for the borders of single_word added tokens, and for Whitespace
  kNumeric = 128,         ///< a digit for Digits
  kMark = 256,            ///< removed by StripAccents
  kComposes = 512,        ///< the second of some pair in kCompositions
  kRegexWordChar = 1024,  ///< \w in regular expressions of the file
  kClassWordChar = 2048   ///< the same inside of []
};

/// General categories, in the order of Properties::category.
enum class Category : std::uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Co,
  Cn,
  Cs
};

/// How a code point takes part in graphemes (UAX 29), as far as it shows. Hangul and flags: see graphemes.cc.
enum class Grapheme : std::uint8_t {
  other,
  control,
  prepend,
  extend,
  spacing,
  zwj,
  pictographic,
  consonant,    ///< of an Indic conjunct
  linker,       ///< joins two of them; an extend otherwise
  extend_indic  ///< an extend that may stand between them
};

struct Properties {
  std::int32_t lower_delta;     ///< first code point of the lower-case form, minus this one
  std::uint16_t decomposition;  ///< index into kDecompositions
  std::uint16_t compatibility;  ///< the same for NFKD
  std::uint16_t lower_second;   ///< second code point of the lower-case form, or 0
  std::uint16_t flags;
  std::uint8_t decomposition_size;  ///< code points of the full canonical decomposition, 0 if it is itself
  std::uint8_t compatibility_size;  ///< the same for NFKD
  std::uint8_t combining_class;
  std::uint8_t category;
  std::uint8_t script;  ///< 0 for what goes with every script, else a number a script
  std::uint8_t grapheme;
};

struct Composition {
  char32_t first, second, composed;
};

inline constexpr std::size_t kBlockSize = 128;

extern const char32_t kDecompositions[];
extern const Composition kCompositions[];  ///< ascending by first, then second
extern const std::size_t kCompositionCount;
extern const Properties kProperties[];
extern const std::uint16_t kBlocks[];
extern const std::uint16_t kIndices[];

/// `c` must be below 0x110000. Hangul syllables have no decomposition here: see hangul_parts().
inline const Properties& properties(char32_t c) {
  return kProperties[kIndices[kBlocks[c / kBlockSize] * kBlockSize + c % kBlockSize]];
}

inline bool has(char32_t c, Flag flag) { return (properties(c).flags & flag) != 0; }
inline Category category(char32_t c) { return static_cast<Category>(properties(c).category); }
inline Grapheme grapheme(char32_t c) { return static_cast<Grapheme>(properties(c).grapheme); }

inline bool is_hangul_syllable(char32_t c) { return c - 0xAC00 < 11172; }

/// Writes the two or three jamo of a Hangul syllable and returns how many (Unicode, section 3.12).
inline std::size_t hangul_parts(char32_t c, char32_t (&parts)[3]) {
  const char32_t i = c - 0xAC00;
  parts[0] = 0x1100 + i / 588;
  parts[1] = 0x1161 + i % 588 / 28;
  parts[2] = 0x11A7 + i % 28;
  return i % 28 == 0 ? 2 : 3;
}

/// The code point that two compose to, or 0.
char32_t compose(char32_t first, char32_t second);

}  // namespace nybble::tokenizer::unicode
