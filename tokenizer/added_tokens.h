// Added tokens: found in a text before the model sees it, longest first at the leftmost place.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace nybble::tokenizer {

struct AddedToken {
  std::string content;
  bool single_word = false;  ///< not beside a word character
  bool lstrip = false;       ///< swallows the white space on its left
  bool rstrip = false;       ///< and on its right
  bool normalized = true;    ///< its normalized content is looked for in the normalized text
  bool special = false;
  std::int32_t id = 0;
};

/// A piece of a text: an added token, or what lies between two.
struct AddedSplit {
  const AddedToken* token;  ///< null between two
  Span span;                ///< bytes of the text that was searched; not empty
};

/// Finds a set of added tokens. Immutable; every member may be called from many threads at once.
class AddedTokenFinder {
 public:
  struct Pattern {
    std::string text;  ///< not empty
    const AddedToken* token;
  };
  struct Match {
    const AddedToken* token;
    std::size_t end;
    bool holds;  ///< false: beside a word character; its bytes are passed over all the same
  };

  AddedTokenFinder() = default;
  /// Of patterns with the same text the first counts. The tokens must outlive the finder.
  explicit AddedTokenFinder(const std::vector<Pattern>& patterns);

  bool empty() const { return tokens_.empty(); }
  /// Whether a pattern starts with this byte.
  bool may_start(std::uint8_t byte) const { return starts_[byte]; }
  /// The longest pattern that starts at `at`.
  std::optional<Match> match(std::string_view text, std::size_t at) const;
  /// Splits the whole text as the reference does. Linear in its size.
  std::vector<AddedSplit> split(std::string_view text) const;

 private:
  Trie trie_;  ///< the values index tokens_
  std::vector<const AddedToken*> tokens_;
  std::array<bool, 256> starts_{};
};

/// The added tokens of a tokenizer. Immutable; every member may be called from many threads at once.
class AddedTokens {
 public:
  using Normalize = std::function<std::string(std::string_view)>;

  /// Reads the array `added_tokens`. As in the reference a token that the model knows has the model's id, any
  /// other the next free one; the file's ids are not used, and empty tokens are skipped.
  AddedTokens(const std::optional<JsonNode>& node, const Vocabulary& vocabulary, const Normalize& normalize);
  AddedTokens(AddedTokens&&) = default;
  AddedTokens& operator=(AddedTokens&&) = default;

  const AddedTokenFinder& raw() const { return raw_; }                ///< to look for in the text as given
  const AddedTokenFinder& normalized() const { return normalized_; }  ///< and in the normalized text
  std::optional<std::int32_t> id(std::string_view content) const;
  std::string_view token(std::int32_t id) const;  ///< empty if there is none
  bool is_special(std::string_view content) const { return special_.contains(content); }
  std::int32_t largest_id() const { return by_id_.empty() ? -1 : by_id_.back().id; }

 private:
  const AddedToken* find(std::int32_t id) const;

  std::vector<AddedToken> by_id_;  ///< ids ascending and different; the last token with an id holds
  Vocabulary ids_;
  std::set<std::string, std::less<>> special_;  ///< contents of special tokens
  AddedTokenFinder raw_, normalized_;
};

}  // namespace nybble::tokenizer
