// Unigram: of all ways to cut a word into tokens the one with the highest sum of scores (Kudo 2018), found by
// Viterbi's algorithm in double precision, as SentencePiece does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/json_reader.h"
#include "tokenizer/model_token.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace nybble::tokenizer {

/// Memory that calls may share one after the other.
struct UnigramScratch {
  struct Node {
    double score;
    std::int32_t id;      ///< of the best token that ends here; -1: none yet
    std::uint32_t start;  ///< of that token
  };
  std::vector<Node> nodes;
  std::uint64_t steps = 0;  ///< of the trie so far, for tests: at most the longest token for each byte
};

/// Immutable once read; every member may be called from many threads at once.
struct Unigram {
  Vocabulary vocabulary;
  std::vector<double> scores;    ///< by id
  std::int32_t unknown_id = -1;  ///< -1: there is none
  double unknown_score = 0;      ///< of one code point
  bool byte_fallback = false;
  std::array<std::int32_t, 256> byte_ids{};  ///< of <0x00> to <0xFF>; -1 where there is none
  WordCache cache;

  /// Appends the tokens of a word that is not empty. Unknown code points side by side are one token. Throws
  /// Error{bad_input} where something is unknown and there is no token for that.
  void tokenize(std::string_view word, UnigramScratch& scratch, std::vector<ModelToken>& out) const;
};

Unigram read_unigram(const JsonNode& node);

}  // namespace nybble::tokenizer
