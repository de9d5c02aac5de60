// The decoder of a tokenizer.json: parts that turn the names of tokens back into text, one after the other.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tokenizer/metaspace.h"
#include "tokenizer/replace.h"

namespace nybble::tokenizer {

/// Joins what starts with `prefix` to the token before, puts a blank before the others.
struct WordPieceDecoder {
  std::string prefix;
  bool cleanup = true;  ///< no blanks before punctuation and English contractions
};
/// The bytes that the characters of a byte-level vocabulary stand for.
struct ByteLevelDecoder {};
struct MetaspaceDecoder {
  Metaspace options;
};
/// Tokens like <0x0A> are bytes.
struct ByteFallbackDecoder {};
/// All tokens become one.
struct FuseDecoder {};
struct ReplaceDecoder {
  Replace replace;
};
/// Takes a character away at the ends of each token.
struct StripDecoder {
  char32_t content = 0;
  std::uint64_t start = 0, stop = 0;  ///< at most so often
};
/// The ends of words become blanks.
struct BpeDecoder {
  std::string suffix;
};
/// Repetitions and padding go; `delimiter` becomes a blank.
struct CtcDecoder {
  std::string pad, delimiter;
  bool cleanup = true;
};

using DecoderPart = std::variant<WordPieceDecoder, ByteLevelDecoder, MetaspaceDecoder, ByteFallbackDecoder,
                                 FuseDecoder, ReplaceDecoder, StripDecoder, BpeDecoder, CtcDecoder>;
/// Immutable once read.
using Decoder = std::vector<DecoderPart>;

/// The member `decoder` of the whole file; absent if it is null or missing.
std::optional<Decoder> read_decoder(const JsonNode& root);

/// The text that tokens stand for. Without a decoder they are joined by blanks.
std::string decode(const std::optional<Decoder>& decoder, std::vector<std::string> tokens);

}  // namespace nybble::tokenizer
