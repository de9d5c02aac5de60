#include "tokenizer/trie.h"

#include <algorithm>

namespace nybble::tokenizer {

/// Places the nodes; keeps the free units of the newest blocks in a ring.
class TrieBuilder {
 public:
  explicit TrieBuilder(const std::vector<Trie::Entry>& entries) : entries_(entries) { grow(); }

  std::optional<Trie> run() {
    std::vector<Node> todo{{0, entries_.size(), 0, Trie::kRoot}};
    while (!todo.empty()) {
      const Node node = todo.back();
      todo.pop_back();
      if (!place(node, todo)) return std::nullopt;
    }
    Trie trie;
    trie.units_ = std::move(units_);
    return trie;
  }

 private:
  /// Older blocks are nearly full: looking for room there costs more than it saves.
  static constexpr std::uint32_t kOpenBlocks = 4;
  static constexpr std::uint32_t kBlock = 256;
  /// Bounds the search. Of 30,000 tokens 16 tries make an array of 142,000 units, 64 69,000, 256 66,000 and
  /// 4096 hardly fewer.
  static constexpr std::uint32_t kTries = 256;

  /// The entries [begin, end) share their first `depth` bytes and meet at `unit`.
  struct Node {
    std::size_t begin, end, depth;
    std::uint32_t unit;
  };
  struct Link {
    std::uint32_t previous, next;
  };

  bool place(Node node, std::vector<Node>& todo) {
    if (node.begin < node.end && entries_[node.begin].key.size() == node.depth) {
      units_[node.unit].value = entries_[node.begin++].value;
    }
    if (node.begin == node.end) return true;
    collect_children(node);
    const std::uint32_t base = find_base();
    if (base == 0) return false;
    used_bases_[base] = true;
    units_[node.unit].link = base << Trie::kLabelBits | (units_[node.unit].link & Trie::kLabelMask);
    for (Node child : children_) {
      const std::uint8_t label = byte_at(child.begin, node.depth);
      child.unit = base ^ label;
      take(child.unit, label);
      todo.push_back(child);
    }
    return true;
  }

  void collect_children(const Node& node) {
    children_.clear();
    for (std::size_t i = node.begin; i < node.end; ++i) {
      const bool same =
          !children_.empty() && byte_at(i, node.depth) == byte_at(children_.back().begin, node.depth);
      if (!same) children_.push_back({i, i, node.depth + 1, 0});
      children_.back().end = i + 1;
    }
    depth_ = node.depth;
  }

  std::uint8_t byte_at(std::size_t entry, std::size_t depth) const {
    return static_cast<std::uint8_t>(entries_[entry].key[depth]);
  }

  /// A base for children_; 0 if the array may not grow further.
  std::uint32_t find_base() {
    const std::uint8_t first = byte_at(children_.front().begin, depth_);
    std::uint32_t tries = kTries;
    for (std::uint32_t unit = ring_[0].next; unit != 0 && tries > 0; unit = ring_[unit].next, --tries) {
      if (fits(unit ^ first)) return unit ^ first;
    }
    const auto start = static_cast<std::uint32_t>(units_.size());
    if (start + kBlock > Trie::kMaxUnits) return 0;
    grow();
    return start ^ first;
  }

  bool fits(std::uint32_t base) const {
    if (used_bases_[base]) return false;
    return std::all_of(children_.begin(), children_.end(),
                       [&](const Node& child) { return free_[base ^ byte_at(child.begin, depth_)]; });
  }

  /// Adds a block. Unit 0 heads the ring, so block 0 is never offered.
  void grow() {
    const auto start = static_cast<std::uint32_t>(units_.size());
    units_.resize(start + kBlock);
    ring_.resize(start + kBlock, Link{0, 0});
    free_.resize(start + kBlock, start != 0);
    used_bases_.resize(start + kBlock, false);
    if (start == 0) return;
    for (std::uint32_t unit = start; unit < start + kBlock; ++unit) append(unit);
    if (start > kOpenBlocks * kBlock) close(start - kOpenBlocks * kBlock);
  }

  void close(std::uint32_t start) {
    for (std::uint32_t unit = start; unit < start + kBlock; ++unit) {
      if (free_[unit]) remove(unit);
    }
  }

  void append(std::uint32_t unit) {
    const std::uint32_t last = ring_[0].previous;
    ring_[unit] = {last, 0};
    ring_[last].next = unit;
    ring_[0].previous = unit;
  }

  void remove(std::uint32_t unit) {
    ring_[ring_[unit].previous].next = ring_[unit].next;
    ring_[ring_[unit].next].previous = ring_[unit].previous;
    free_[unit] = false;
  }

  void take(std::uint32_t unit, std::uint8_t label) {
    remove(unit);
    units_[unit].link = label;
  }

  const std::vector<Trie::Entry>& entries_;
  std::vector<Trie::Unit> units_;
  std::vector<Link> ring_;
  std::vector<std::uint8_t> free_;
  std::vector<std::uint8_t> used_bases_;
  std::vector<Node> children_;
  std::size_t depth_ = 0;
};

std::optional<Trie> Trie::build(const std::vector<Entry>& entries) { return TrieBuilder(entries).run(); }

std::optional<Trie::State> Trie::walk(std::string_view key, State state) const {
  for (const char c : key) {
    if (!step(state, static_cast<std::uint8_t>(c))) return std::nullopt;
  }
  return state;
}

}  // namespace nybble::tokenizer
