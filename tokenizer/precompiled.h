// Precompiled: the normalization rules of a SentencePiece model, as a double array (Aoe 1989).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/json_reader.h"

namespace nybble::tokenizer {

/// Immutable once read; every member may be called from many threads at once.
class Precompiled {
 public:
  /// `charsmap`: 32-bit little-endian bytes of the array, the array, replacements ended by NUL.
  /// Absent if that does not fit together.
  static std::optional<Precompiled> parse(std::string_view charsmap);

  /// What replaces a grapheme or code point: the replacement of its shortest start that has one.
  std::optional<std::string_view> find(std::string_view chunk) const;

  AlignedText normalize(AlignedText input) const;

 private:
  enum class Ascii : std::uint8_t { kept, swapped, special };
  void classify_ascii();
  bool normalize_ascii(AlignedText& text) const;
  void put(std::string_view chunk, Rewriter& out, bool& changed) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
  std::array<Ascii, 128> ascii_{};  ///< what becomes of a single byte
  std::array<char, 128> swap_{};
};

Precompiled read_precompiled(const JsonNode& node);
inline AlignedText normalize(const Precompiled& rules, AlignedText input) {
  return rules.normalize(std::move(input));
}

}  // namespace nybble::tokenizer
