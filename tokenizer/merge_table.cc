#include "tokenizer/merge_table.h"

#include <algorithm>
#include <functional>

namespace nybble::tokenizer {
namespace {

/// Up to here the lowest rank is looked for anew each time: cheaper than a heap.
constexpr std::size_t kShort = 48;

void merge_short(const MergeTable& merges, std::vector<Symbol>& symbols, std::uint64_t& steps) {
  const auto look_at = [&](std::size_t i) {
    ++steps;
    symbols[i].merge =
        i + 1 < symbols.size() ? merges.find(symbols[i].id, symbols[i + 1].id) : MergeTable::Merge{};
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) look_at(i);
  while (symbols.size() > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < symbols.size(); ++i) {
      if (symbols[i].merge.rank < symbols[best].merge.rank) best = i;
    }
    if (symbols[best].merge.rank == MergeTable::kNone) return;
    symbols[best].id = symbols[best].merge.id;
    symbols[best].size += symbols[best + 1].size;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    look_at(best);
    if (best > 0) look_at(best - 1);
  }
}

/// Symbols linked both ways, pairs in a heap by rank and place. A pair that is no longer there is known by
/// its rank: one pair has one.
class LongMerge {
 public:
  LongMerge(const MergeTable& merges, std::vector<Symbol>& symbols, BpeScratch& scratch)
      : merges_(merges), scratch_(scratch), symbols_(symbols), heap_(scratch.heap) {}

  void run() {
    const auto count = static_cast<std::uint32_t>(symbols_.size());
    heap_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      symbols_[i].previous = i == 0 ? kNobody : i - 1;
      symbols_[i].next = i + 1 == count ? kNobody : i + 1;
    }
    for (std::uint32_t i = 0; i < count; ++i) look_at(i, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      ++scratch_.steps;
      const auto at = static_cast<std::uint32_t>(top);
      if (symbols_[at].size != 0 && symbols_[at].merge.rank == top >> 32) join(at);
    }
    std::erase_if(symbols_, [](const Symbol& s) { return s.size == 0; });
  }

 private:
  static constexpr std::uint32_t kNobody = 0xFFFFFFFF;

  void look_at(std::uint32_t at, bool ordered = true) {
    Symbol& s = symbols_[at];
    ++scratch_.steps;
    s.merge = s.next == kNobody ? MergeTable::Merge{} : merges_.find(s.id, symbols_[s.next].id);
    if (s.merge.rank == MergeTable::kNone) return;
    heap_.push_back(std::uint64_t{s.merge.rank} << 32 | at);
    if (ordered) std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  }

  void join(std::uint32_t at) {
    Symbol& left = symbols_[at];
    Symbol& right = symbols_[left.next];
    left.id = left.merge.id;
    left.size += right.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNobody) symbols_[left.next].previous = at;
    look_at(at);
    if (left.previous != kNobody) look_at(left.previous);
  }

  const MergeTable& merges_;
  BpeScratch& scratch_;
  std::vector<Symbol>& symbols_;
  std::vector<std::uint64_t>& heap_;
};

}  // namespace

void MergeTable::reserve(std::size_t merges) {
  std::size_t size = 2;
  shift_ = 63;
  while (size < 2 * merges) size *= 2, --shift_;
  slots_.assign(size, {});
  mask_ = size - 1;
  floors_.assign(size * 4, 0xFFFF);
  floor_place_ = shift_ - 2;
  floor_unit_ = 0;
  while (merges >> floor_unit_ > 0xFFF0) ++floor_unit_;
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = key_of(left, right);
  std::size_t at = place(key);
  while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & mask_;
  slots_[at] = {key, merge};
  std::uint16_t& floor = floors_[key * kMultiplier >> floor_place_];
  floor = std::min(floor, static_cast<std::uint16_t>(merge.rank >> floor_unit_));
  end_ = std::max(end_, merge.rank + 1);
}

void merge_pairs(const MergeTable& merges, std::vector<Symbol>& symbols, BpeScratch& scratch) {
  if (symbols.size() <= kShort) return merge_short(merges, symbols, scratch.steps);
  LongMerge(merges, symbols, scratch).run();
}

}  // namespace nybble::tokenizer
