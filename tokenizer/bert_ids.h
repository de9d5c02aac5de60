// The ids of a text in one pass, for the commonest pipeline: BertNormalizer or none, BertPreTokenizer,
// WordPiece.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/pipeline.h"

namespace nybble::tokenizer {

/// What a byte below 0x80 becomes after normalizer and pre-tokenizer.
enum class ByteAction : std::uint8_t {
  word,         ///< a part of a word
  space,        ///< ends a word
  punctuation,  ///< a word by itself
  dropped,      ///< nothing
  wide,         ///< no such byte: a code point of several bytes
  added,        ///< an added token may start here
};

/// Immutable; every member may be called from many threads at once. Refers to the pipeline it was made for.
class BertIds {
 public:
  /// Absent if the pipeline is of another kind, or has added tokens whose search needs the normalized text.
  static std::optional<BertIds> make(const Pipeline& pipeline);

  /// Appends the ids of `text`, without special tokens: all of them, or the first `limit`. Returns true if
  /// there are more; what follows the first token too many is not read.
  bool append(std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids) const;

 private:
  friend class BertIdsRun;
  BertIds() = default;

  const WordPiece* model_ = nullptr;
  const AddedTokenFinder* added_ = nullptr;
  BertNormalizer normalizer_;
  std::array<ByteAction, 256> actions_{};  ///< with `added` where an added token may start
  std::array<ByteAction, 128> plain_{};    ///< without
  std::array<char, 128> lower_{};
};

}  // namespace nybble::tokenizer
