// A set of byte strings with a number each, walked a byte at a time: a double array (Aoe 1989) in 256-entry
// blocks whose children sit at base XOR byte, so that a step is one load.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nybble::tokenizer {

/// Immutable after build(); every member may be called from many threads at once.
class Trie {
 public:
  using State = std::uint32_t;
  static constexpr State kRoot = 0;

  struct Entry {
    std::string_view key;
    std::int32_t value;  ///< not negative
  };

  /// A trie that holds nothing.
  Trie() : units_(256) {}

  /// Builds from entries sorted by key (bytes compared unsigned) without duplicates. Absent if they need more
  /// than 8 million nodes, as a double array addresses no more.
  static std::optional<Trie> build(const std::vector<Entry>& entries);

  /// Follows `byte` from `state`; false, and `state` unchanged, if no key goes that way.
  bool step(State& state, std::uint8_t byte) const {
    const State next = (units_[state].link >> kLabelBits) ^ byte;
    if ((units_[next].link & kLabelMask) != byte) return false;
    state = next;
    return true;
  }

  /// Follows all bytes of `key`; absent if no key starts so.
  std::optional<State> walk(std::string_view key, State state = kRoot) const;

  struct Start {
    std::int32_t value;   ///< of the longest key; -1: none
    std::uint32_t size;   ///< of that key
    std::uint32_t looks;  ///< bytes that were looked at
  };
  /// The longest key that `text` starts with.
  Start longest_start(std::string_view text) const {
    Start out{-1, 0, 0};
    std::uint32_t link = units_[kRoot].link;
    for (const char c : text) {
      ++out.looks;
      const auto byte = static_cast<std::uint8_t>(c);
      const Unit unit = units_[(link >> kLabelBits) ^ byte];
      if ((unit.link & kLabelMask) != byte) break;
      link = unit.link;
      out.size = unit.value >= 0 ? out.looks : out.size;
      out.value = unit.value >= 0 ? unit.value : out.value;
    }
    return out;
  }

  /// The value of the key that ends at `state`, or -1.
  std::int32_t value(State state) const { return units_[state].value; }

  /// The value of `key`, or -1.
  std::int32_t find(std::string_view key) const {
    const auto state = walk(key);
    return state ? value(*state) : -1;
  }

 private:
  friend class TrieBuilder;
  static constexpr std::uint32_t kLabelBits = 9;
  static constexpr std::uint32_t kLabelMask = (1U << kLabelBits) - 1;
  static constexpr std::uint32_t kNoLabel = 256;  ///< of the root and of free units: no byte equals it
  static constexpr std::uint32_t kMaxUnits = 1U << (32 - kLabelBits);

  /// Bases are unique among nodes, so the label alone proves that a unit is a child of the state it was
  /// reached from. A node without children has base 0: block 0 holds only the root, and no label there
  /// matches.
  struct Unit {
    std::uint32_t link = kNoLabel;  ///< base << 9 | label
    std::int32_t value = -1;
  };
  std::vector<Unit> units_;
};

}  // namespace nybble::tokenizer
