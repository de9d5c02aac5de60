// What byte-pair encoding makes of a long text, found token by token instead of merge by merge.
//
// Merges are done by rank, of the same rank the leftmost first. Two facts follow, whatever the ranks are.
//
// 1. If no merge ever joins across a border, what is left and right of it is encoded as if it stood alone: of
//    the pairs on one side, the next to be merged is the lowest and leftmost there, too. So each token of an
//    encoded text, alone, is encoded as itself ("it stands"), and each two neighbours, alone, as those two
//    ("they stay apart").
// 2. A chain of tokens of which all neighbours stay apart is the encoding of its text. Suppose not, and take
//    the first merge across a border of the chain. Until then each token went its own way. So the two tokens
//    around that border, alone, go the same way until then, and then do that merge: they do not stay apart.
//
// A text has thus one such chain, and each of its starts has at most one: a search that takes the longest
// token which stays apart from the one before, goes back where none does, and never returns to a place that
// led nowhere finds it in one pass.
//
// Whether x and y stay apart is seen backwards in time. At the border meet the last symbol of x and the first
// of y; before a symbol was made it was the right (left) part of the merge that made it. If those merges have
// higher ranks than the ones that made their parts, both sides do theirs in the order of rank, and the one
// with the higher rank was the later one; of two with the same rank the left one came first. Two symbols that
// met are joined unless their merge has a higher rank than the merge that parts them. A token with a merge of
// a lower rank than what made its parts (possible, but no trainer makes any) is tried out instead.
//
// (van Antwerpen and Neubeck, "So many tokens, so little time", 2024, use the same for ranks that are ids.)
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace nybble::tokenizer {

/// Immutable once built; every member may be called from many threads at once.
class TokenChains {
 public:
  /// Of a model whose symbols are single characters, known by their text alone. Absent if two tokens share an
  /// id, or ids are so sparse that a table by id would be much larger than the vocabulary.
  static std::optional<TokenChains> build(const Vocabulary& vocabulary, const MergeTable& merges);

  /// Appends to scratch.symbols what becomes of the longest run of known characters at the start of `text`,
  /// and returns its bytes. `merges` are those that it was built with. Absent if that takes more than a
  /// bounded number of steps a byte, as only odd vocabularies make happen; symbols are then in any state.
  std::optional<std::size_t> append(std::string_view text, const MergeTable& merges,
                                    BpeScratch& scratch) const;

 private:
  friend class ChainBuilder;
  friend class ChainSearch;
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFF;  ///< never stands
  static constexpr std::uint32_t kTried = 0xFFFFFFFE;   ///< what it stays apart from is seen by trial alone

  struct Token {
    std::int32_t left = 0, right = 0;  ///< joined by the merge that makes it; of a character itself
    std::uint32_t order = kAbsent;     ///< one more than that merge's rank, 0 of a character, kTried, kAbsent
    std::int32_t shorter = -1;         ///< the longest token that it starts with; -1: none
  };

  const Token& token(std::int32_t id) const { return tokens_[static_cast<std::size_t>(id)]; }
  /// Whether x and y stay apart; those whose merge has a rank of `limit` or more may meet at last.
  bool stay_apart(std::int32_t x, std::int32_t y, std::uint32_t limit, const MergeTable& merges,
                  BpeScratch& scratch) const;
  bool apart_by_trial(std::int32_t x, std::int32_t y, const MergeTable& merges, BpeScratch& scratch) const;
  /// Encodes x and y side by side into scratch.trial.
  void try_out(std::int32_t x, std::int32_t y, const MergeTable& merges, BpeScratch& scratch) const;
  void append_characters(std::int32_t id, std::vector<Symbol>& out) const;

  std::vector<Token> tokens_;         ///< by id
  std::vector<std::uint32_t> sizes_;  ///< by id, in bytes
  Trie trie_;                         ///< of tokens that stand
};

/// Chains that are built when they are first asked for, as 250,000 tokens take 0.1 s and many models never
/// meet a long word. Every member may be called from many threads at once: one builds, the others wait.
class LazyChains {
 public:
  /// Null if there can be none; the arguments are the same each time.
  const TokenChains* get(const Vocabulary& vocabulary, const MergeTable& merges) {
    std::call_once(once_, [&] { chains_ = TokenChains::build(vocabulary, merges); });
    return chains_ ? &*chains_ : nullptr;
  }

 private:
  std::once_flag once_;
  std::optional<TokenChains> chains_;
};

}  // namespace nybble::tokenizer
