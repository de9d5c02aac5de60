// The tokens of short words that were met before: bounded memory, no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/model_token.h"

namespace nybble::tokenizer {

/// 32,768 places of a cache line, 2 MiB; a new word takes the place of the one that was there. Every member
/// may be called from many threads at once: a place that is being written is passed over. A hit says what a
/// model would say, so that results do not depend on what was met before.
class WordCache {
 public:
  static constexpr std::size_t kLongest = 24;    ///< bytes of a word
  static constexpr std::size_t kMostTokens = 7;  ///< that lie end to end

  WordCache() : places_(std::make_unique<Place[]>(kPlaces)) {}

  struct Key {
    std::array<std::uint64_t, 3> bytes;
    std::size_t size;
    std::size_t place;
  };
  /// `word` has at most kLongest bytes.
  static Key key(std::string_view word);

  /// Appends the tokens of the word, if it is there.
  bool find(const Key& key, std::vector<ModelToken>& out) const;
  /// Keeps the word, if its tokens are few and lie end to end.
  void keep(const Key& key, std::span<const ModelToken> tokens) const;

 private:
  static constexpr std::size_t kPlaces = 32768;
  static constexpr unsigned kSizeBits = 5;

  /// Word 0: a bit that says "being written", 31 bits that count writes, size, count. 1 to 3: the word.
  /// 4, 5, 7: six ids; 6: the seventh below, sizes of all tokens but the last above.
  struct alignas(64) Place {
    std::array<std::atomic<std::uint64_t>, 8> words{};
  };
  std::unique_ptr<Place[]> places_;
};

}  // namespace nybble::tokenizer
