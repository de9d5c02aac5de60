// tokenizer.json as a pipeline of parts: added tokens, normalizer, pre-tokenizer, model, post-processor.
// Gives the ids, tokens and offsets of Hugging Face `tokenizers` 0.22.2 with no_padding() and
// no_truncation(). This library depends on no other layer of Nybble.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nybble::tokenizer {

/// What a text became. The vectors have one entry a token, unless they say otherwise.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
  /// [start, stop) in bytes of the text as given, between code points; {0, 0} for specials. In a pair, of the
  /// text that the token came from.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;
  std::vector<std::int32_t> word_ids;  ///< index of the pre-token in its text, -1 for specials
  std::vector<std::uint8_t> special;   ///< 1 where the post-processor put it
  std::vector<std::int8_t> text;       ///< 0 for the first text, 1 for the second, -1 for specials
  /// Index and name of the tokens that are called otherwise than Tokenizer::token() of their id: what an
  /// unknown one stands for, an added one with the blanks that it swallowed. Ascending.
  std::vector<std::pair<std::uint32_t, std::string>> spelled;
  bool is_cut = false;  ///< tokens were taken away
  /// Of a text that was cut the windows after the first, in the reference's order, if they are asked for; they
  /// have none of their own.
  std::vector<Encoding> overflow;
};

/// How a text of too many tokens is cut.
struct Truncation {
  enum class Strategy : std::uint8_t {
    longest_first,  ///< of a pair the longer text first, until both have half
    only_first,
    only_second,
  };
  enum class Side : std::uint8_t { right, left };
  std::size_t max_tokens = 0;  ///< special ones included; 0: nothing is cut
  Strategy strategy = Strategy::longest_first;
  Side side = Side::right;  ///< where tokens are taken away
  std::size_t stride = 0;   ///< tokens that windows share with the one before
  /// Whether Encoding::overflow gets what was cut. Of a pair it holds the windows of one text with each of the
  /// other's: of two texts of a megabyte a million windows. Who does not read them does not ask for them.
  bool overflow = true;
};

/// How encodings become equally long.
struct Padding {
  std::size_t length = 0;  ///< 0: as long as the longest
  std::size_t multiple_of = 0;
  Truncation::Side side = Truncation::Side::right;  ///< where padding is put
  std::int32_t id = 0, type_id = 0;
};

/// Run-time state that a tokenizer.json carries along; read and shown, applied only by who asks for it.
struct LeftOverState {
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
};

/// Pads encodings and their windows; a padding token is special, and stands for no text. Longer ones stay as
/// they are.
void pad(std::span<Encoding> encodings, const Padding& padding);

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
  /// The same, cut in any way. Throws Error{bad_input} also where a text that is to be cut alone is too short
  /// for that, and where the stride is not below the window.
  Encoding encode(std::string_view text, const Truncation& truncation) const;
  Encoding encode_pair(std::string_view first, std::string_view second, const Truncation& truncation) const;

  /// The fast path: appends the ids and type ids of `text` (the same as encode() gives) and computes nothing
  /// else. Returns true if the text was cut to max_tokens. A BERT pipeline does not read on after the first
  /// token too many.
  bool encode_ids(std::string_view text, std::size_t max_tokens, std::vector<std::int32_t>& ids,
                  std::vector<std::int32_t>& type_ids) const;

  /// The text that ids stand for, as the file's decoder writes it; ids that have no token are passed over.
  /// `skip_special`: so are special tokens.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const;

  /// The same of tokens by name; without a decoder they are joined by blanks.
  std::string decode_names(std::vector<std::string> names) const;

  std::size_t vocabulary_size() const;  ///< largest id + 1, added tokens included
  /// The name of a token, added tokens first; empty if there is none. A view into the tokenizer.
  std::string_view token(std::int32_t id) const;
  std::optional<std::int32_t> id(std::string_view token) const;
  /// What the model makes of a text that it has no other token for, if it has such a token.
  std::optional<std::int32_t> unknown_id() const;
  /// Whether the name of a token says that it goes on with a word (WordPiece's "##").
  bool marks_continuations() const;
  std::string_view model_type() const;  ///< "WordPiece", "BPE", "Unigram" or "WordLevel"
  const LeftOverState& left_over_state() const;
  /// Tokens that the post-processor adds to a single text.
  std::size_t special_tokens_of_single() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nybble::tokenizer
