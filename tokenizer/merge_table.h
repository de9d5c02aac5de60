// The merges of byte-pair encoding, and joining symbols by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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
  /// False if no merge of a rank below `limit` joins the pair; true of most that one does not join is rare.
  bool may_join(std::int32_t left, std::int32_t right, std::uint32_t limit) const {
    return floors_[key_of(left, right) * kMultiplier >> floor_place_] <= (limit - 1) >> floor_unit_;
  }
  /// Above all ranks.
  std::uint32_t end_of_ranks() const { return end_; }
  /// Calls visit(left, right, merge) for each pair, in no order that means something.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.key == kFree) continue;
      visit(static_cast<std::int32_t>(slot.key >> 32), static_cast<std::int32_t>(slot.key), slot.merge);
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
  static constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15;
  std::size_t place(std::uint64_t key) const { return key * kMultiplier >> shift_; }

  std::vector<Slot> slots_ = std::vector<Slot>(2);
  std::size_t mask_ = 1;
  unsigned shift_ = 63;
  /// For places of keys the lowest rank there, in units of 2^floor_unit_; eight places a merge.
  std::vector<std::uint16_t> floors_ = std::vector<std::uint16_t>(2, 0xFFFF);
  unsigned floor_place_ = 63, floor_unit_ = 0;
  std::uint32_t end_ = 1;
};

struct Symbol {
  std::int32_t id;
  std::uint32_t size;                    ///< bytes of the word; 0 once it is joined to another
  MergeTable::Merge merge = {};          ///< with the symbol after it
  std::uint32_t previous = 0, next = 0;  ///< used for long words
};

/// Memory that calls may share one after the other.
struct BpeScratch {
  std::vector<Symbol> symbols;  ///< of the word at hand
  std::vector<Symbol> trial;    ///< of two tokens that are tried side by side
  std::vector<std::uint64_t> heap;
  std::vector<std::uint64_t> dead;  ///< a bit for each byte of the word
  std::uint64_t steps = 0;  ///< looks at pairs, and at bytes of the trie, so far: linear in the word's size
};

/// Joins pairs among `symbols` until no merge fits: always the pair of the lowest rank, of those the
/// leftmost. `scratch` lends its heap and counts the steps; `symbols` may be a member of it.
void merge_pairs(const MergeTable& merges, std::vector<Symbol>& symbols, BpeScratch& scratch);

}  // namespace nybble::tokenizer
