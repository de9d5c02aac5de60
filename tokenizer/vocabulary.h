// The tokens of a model and their ids, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_reader.h"
#include "tokenizer/trie.h"

namespace nybble::tokenizer {

/// Immutable after freeze(); then every const member may be called from many threads at once.
class Vocabulary {
 public:
  /// Room for `tokens` tokens of `bytes` bytes together: a hint.
  void reserve(std::size_t tokens, std::size_t bytes);
  /// Adds a token; of one that is added twice the last id holds. `id` must not be negative.
  void add(std::string_view token, std::int32_t id);
  /// Ends the adding. False if the tokens are too many (Trie::build).
  [[nodiscard]] bool freeze();
  /// Ends it without a trie: whole tokens are found by their hash alone, which is ready much sooner.
  void freeze_hashed();

  std::optional<std::int32_t> id(std::string_view token) const;
  /// The same after freeze_hashed(), without a look into the hash table if the token was added right after
  /// the one that `place` says; `place` becomes its own. Merges make tokens in the order of the vocabulary.
  std::optional<std::int32_t> id_after(std::size_t& place, std::string_view token) const;
  /// Empty if no token has this id; of tokens that share it, the last in byte order.
  std::string_view token(std::int32_t id) const;
  std::size_t size() const { return different_; }  ///< different tokens
  std::int32_t largest_id() const { return by_id_.empty() ? -1 : by_id_.back().id; }
  std::size_t longest_token() const { return longest_; }  ///< in bytes
  const Trie& trie() const { return trie_; }              ///< after freeze() alone
  /// The different tokens in byte order, with their ids; the texts are the vocabulary's.
  std::vector<Trie::Entry> sorted_entries() const;

 private:
  struct Slot {
    std::uint32_t tag = 0;    ///< bits of the hash
    std::uint32_t entry = 0;  ///< one more than the index; 0: free
  };
  /// Where a token is or would be.
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const;
  struct Entry {
    std::size_t offset, size;  ///< in text_
    std::int32_t id;
  };
  std::string_view text_of(const Entry& entry) const { return {text_.data() + entry.offset, entry.size}; }
  struct Keyed {
    std::uint64_t key, next;  ///< order most pairs of tokens without a look at them
    std::uint32_t index;
  };
  struct IdPlace {
    std::int32_t id;
    std::uint32_t entry;
  };
  std::vector<Keyed> order_of_tokens() const;  ///< each once, the last that was added
  void sort_by_token();
  void index_by_id(const std::vector<Keyed>& keyed);

  std::string text_;
  std::vector<Entry> entries_;  ///< sorted by token once frozen
  std::vector<IdPlace> by_id_;  ///< ids ascending
  std::size_t longest_ = 0;
  std::size_t different_ = 0;
  std::vector<Slot> slots_;  ///< a power of two of them, at most half taken
  Trie trie_;
};

/// Reads an object of tokens with their ids, without a trie if `hashed`.
Vocabulary read_vocabulary(const JsonNode& node, bool hashed = false);

}  // namespace nybble::tokenizer
