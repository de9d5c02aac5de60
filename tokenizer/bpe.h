// Byte-pair encoding: the symbols of a word are joined pair by pair, the pair of the lowest rank first, from
// left to right (Sennrich et al. 2016).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_reader.h"
#include "tokenizer/model_token.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace nybble::tokenizer {

/// What pairs of symbols become. Immutable once built.
class MergeTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Merge {
    std::uint32_t rank = kNone;
    std::int32_t id = 0;
  };

  void reserve(std::size_t merges);
  /// Of a pair that is added twice the last holds.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t at = place(key);; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return slots_[at].merge;
      if (slots_[at].key == kFree) return {};
    }
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kFree;
    Merge merge;
  };
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t place(std::uint64_t key) const { return key * 0x9E3779B97F4A7C15 >> shift_; }

  std::vector<Slot> slots_ = std::vector<Slot>(2);
  std::size_t mask_ = 1;
  unsigned shift_ = 63;
};

/// Memory that calls may share one after the other.
struct BpeScratch {
  struct Symbol {
    std::int32_t id;
    std::uint32_t size;            ///< bytes of the word; 0 once it is joined to another
    MergeTable::Merge merge;       ///< with the symbol after it
    std::uint32_t previous, next;  ///< used for long words
  };
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> heap;
  std::uint64_t steps = 0;  ///< looks at pairs so far, for tests: linear in the word's size
};

/// Immutable once read; every member may be called from many threads at once.
struct Bpe {
  Vocabulary vocabulary;
  MergeTable merges;
  std::string prefix, suffix;
  bool has_unknown = false;      ///< unk_token is given
  std::int32_t unknown_id = -1;  ///< -1: the vocabulary lacks it
  bool fuse_unknown = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
  std::array<std::int32_t, 256> byte_ids{};       ///< of <0x00> to <0xFF>; -1 where there is none
  std::array<std::int32_t, 256> character_ids{};  ///< of the characters that stand for bytes
  bool byte_level = false;                        ///< it has all of them, and neither prefix nor suffix
  /// Pairs of characters that some merge joins: nothing ever joins across any other, so that a long word may
  /// be taken in parts. Ranks mean nothing here.
  MergeTable junctions;
  std::array<std::bitset<128>, 128> ascii_cuts;  ///< [left][right]: both known, and no junction
  std::bitset<128> ascii_known;                  ///< characters that are tokens
  std::array<std::int32_t, 256> ascii_ids{};     ///< their ids; -1 for others
  bool may_be_cut = false;  ///< symbols are characters of the word, joined by their characters alone
  WordCache cache;

  /// Appends the tokens of a word that is not empty. `bytes`: each byte stands for itself; for a byte_level
  /// model only. Throws Error{bad_input} where something is unknown and the model has no token for that.
  void tokenize(std::string_view word, bool bytes, BpeScratch& scratch, std::vector<ModelToken>& out) const;

 private:
  void tokenize_part(std::string_view part, std::uint32_t begin, bool bytes, BpeScratch& scratch,
                     std::vector<ModelToken>& out) const;
};

Bpe read_bpe(const JsonNode& node);

}  // namespace nybble::tokenizer
