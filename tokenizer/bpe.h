// Byte-pair encoding: the symbols of a word are joined pair by pair, the pair of the lowest rank first, from
// left to right (Sennrich et al. 2016).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_reader.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/model_token.h"
#include "tokenizer/token_chains.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace nybble::tokenizer {

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
  std::array<std::int32_t, 128> ascii_ids{};      ///< of characters; -1 for those that are no tokens
  /// For long words; null of a model whose symbols are bytes, or more than their text.
  std::unique_ptr<LazyChains> chains;
  WordCache cache;

  /// Appends the tokens of a word that is not empty. `bytes`: each byte stands for itself; for a byte_level
  /// model only. Throws Error{bad_input} where something is unknown and the model has no token for that.
  void tokenize(std::string_view word, bool bytes, BpeScratch& scratch, std::vector<ModelToken>& out) const;
};

Bpe read_bpe(const JsonNode& node);

}  // namespace nybble::tokenizer
