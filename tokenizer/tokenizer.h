// tokenizer.json as a pipeline of parts: added tokens, normalizer, pre-tokenizer, model, post-processor.
// Gives the ids, tokens and offsets of Hugging Face `tokenizers` 0.22.2 with no_padding() and
// no_truncation(). This library depends on no other layer of Nybble.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nybble::tokenizer {

/// What a text became. All vectors have one entry a token.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
  /// [start, stop) in bytes of the text as given, between code points; {0, 0} for specials. In a pair, of the
  /// text that the token came from.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;
  std::vector<std::int32_t> word_ids;  ///< index of the pre-token in its text, -1 for specials
  std::vector<std::uint8_t> special;   ///< 1 where the post-processor put it
};

/// Run-time state that a tokenizer.json carries along; read and shown, never applied.
struct LeftOverState {
  std::optional<std::int64_t> truncation_max_length;
  std::optional<std::int64_t> padding_length;  ///< fixed padding; absent: none or "BatchLongest"
};

/// Immutable after construction; every member may be called from many threads at once.
class Tokenizer {
 public:
  /// Reads a tokenizer.json. Throws Error{unsupported_model} whose sentence names file, JSON path, expected
  /// and found (with a part's type, the types that work), or Error{io}.
  static Tokenizer from_file(const std::filesystem::path& file);
  /// The same from memory; `name` stands for the file in errors.
  static Tokenizer from_json(std::string_view json, std::string_view name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Encodes a text with special tokens; appends nothing else, never pads.
  /// `text`: valid UTF-8 (see utf8.h) of at most 2^29 bytes; with anything else the tokens are unspecified.
  /// `max_tokens`: 0 for no limit; else the result is cut on the right to that many tokens, specials
  /// included. Throws Error{bad_input} if the text is larger, or max_tokens leaves no room for the specials.
  Encoding encode(std::string_view text, std::size_t max_tokens = 0) const;
  /// A pair of texts ("longest first" cutting when max_tokens is not 0).
  Encoding encode_pair(std::string_view first, std::string_view second, std::size_t max_tokens = 0) const;

  /// The fast path: appends the ids and type ids of `text` (the same as encode() gives) and computes nothing
  /// else. Returns true if the text was cut to max_tokens. A BERT pipeline does not read on after the first
  /// token too many.
  bool encode_ids(std::string_view text, std::size_t max_tokens, std::vector<std::int32_t>& ids,
                  std::vector<std::int32_t>& type_ids) const;

  std::size_t vocabulary_size() const;  ///< largest id + 1, added tokens included
  /// The name of a token, added tokens first; empty if there is none. A view into the tokenizer.
  std::string_view token(std::int32_t id) const;
  std::optional<std::int32_t> id(std::string_view token) const;
  std::string_view model_type() const;  ///< "WordPiece"
  const LeftOverState& left_over_state() const;
  /// Tokens that the post-processor adds to a single text.
  std::size_t special_tokens_of_single() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nybble::tokenizer
