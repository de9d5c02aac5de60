// WordPiece: the longest token that starts the word, then the longest continuation of it, and so on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tokenizer/json_reader.h"
#include "tokenizer/vocabulary.h"

namespace nybble::tokenizer {

/// Immutable once read; every member may be called from many threads at once.
struct WordPiece {
  Vocabulary vocabulary;
  std::int32_t unknown_id = 0;
  std::size_t max_word = 100;  ///< code points; a longer word is unknown
  /// Where continuations start in the trie: below continuing_subword_prefix. Absent if no token has it.
  std::optional<Trie::State> continuation;

  /// Calls emit(id, begin, end) for each token of the word, bytes of `word`. Returns false, after any number
  /// of calls, if the word is unknown as a whole. `word` has at most max_word code points; the time is its
  /// size times the longest token's at most.
  template <class Emit>
  bool split(std::string_view word, Emit&& emit) const {
    for (std::size_t begin = 0; begin < word.size();) {
      if (begin > 0 && !continuation) return false;
      const Match match = longest(word, begin, begin == 0 ? Trie::kRoot : *continuation);
      if (match.end == 0) return false;
      emit(match.id, begin, match.end);
      begin = match.end;
    }
    return true;
  }

 private:
  struct Match {
    std::int32_t id = 0;
    std::size_t end = 0;  ///< 0: none
  };

  Match longest(std::string_view word, std::size_t begin, Trie::State state) const {
    const Trie& trie = vocabulary.trie();
    Match match;
    for (std::size_t at = begin; at < word.size(); ++at) {
      if (!trie.step(state, static_cast<std::uint8_t>(word[at]))) break;
      const std::int32_t id = trie.value(state);
      if (id >= 0) match = {id, at + 1};
    }
    return match;
  }
};

WordPiece read_word_piece(const JsonNode& node);

}  // namespace nybble::tokenizer
