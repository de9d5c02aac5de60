// From text to tokens, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/api.h"

namespace nybble {

/// A text as encode() and tokenize() read it.
struct Utf8Text {
  std::string text;
  std::size_t invalid_parts = 0;       ///< replaced by U+FFFD
  std::size_t first_invalid_byte = 0;  ///< of the text as given
};

/// `text` with each maximal part that is no UTF-8 replaced by U+FFFD, as Python's decode("utf-8", "replace");
/// nothing if all is UTF-8.
NYBBLE_API std::optional<Utf8Text> repair_utf8(std::string_view text);

/// The tokens of one text.
struct Tokens {
  std::vector<std::int32_t> ids;
  std::vector<std::string>
      tokens;  ///< names; of an unknown one the text that it stands for where it has no other
  std::vector<std::pair<std::size_t, std::size_t>> offsets;  ///< [start, stop) bytes of the text as given
  std::vector<std::int32_t> type_ids;
  std::vector<std::int32_t> word_ids;  ///< -1 for special tokens
  std::vector<std::uint8_t> special;   ///< 1 for tokens that stand for no part of the text
  std::size_t invalid_parts = 0;       ///< parts of the text that were no UTF-8, read as U+FFFD
  std::size_t first_invalid_byte = 0;
};

/// Turns texts into tokens, without a model's weights. Immutable; any number of threads may call it at once.
class NYBBLE_API Tokenizer {
 public:
  /// Reads tokenizer.json in a model folder; `model` as in Model::load().
  static Tokenizer load(std::string_view model = {});
  /// Never pads; cuts to max_tokens unless that is 0.
  Tokens tokenize(std::string_view text, std::size_t max_tokens = 0) const;
  Tokens tokenize_pair(std::string_view first, std::string_view second, std::size_t max_tokens = 0) const;
  /// The text that ids stand for, as the decoder in tokenizer.json writes it. Ids that are no token are
  /// passed over, special tokens unless `special`.
  std::string decode(std::span<const std::int32_t> ids, bool special = false) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// A part of a text that is computed at once: all of it, or one of EncodeOptions::chunk.
struct Window {
  Tokens tokens;  ///< special ones and the prompt's included; offsets are those of the text without a prompt
  /// Before the text's own tokens stand so many others: special ones and the prompt's.
  std::size_t lead = 0;
  /// Which of the text's own tokens are here, counted over the whole text: [first_token, end_token).
  std::size_t first_token = 0, end_token = 0;
  /// The bytes of the text that these stand for.
  std::size_t first_byte = 0, end_byte = 0;
};

}  // namespace nybble
