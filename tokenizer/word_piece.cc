#include "tokenizer/word_piece.h"

#include <algorithm>
#include <string>

namespace nybble::tokenizer {
namespace {

/// Bounds the steps a byte of text can cost. Vocabularies have 100 code points a word and tokens below 200
/// bytes.
constexpr std::size_t kMaxSteps = 4096;

}  // namespace

WordPiece read_word_piece(const JsonNode& node) {
  WordPiece out;
  const JsonNode vocabulary = node.field("vocab");
  const JsonNode unknown = node.field("unk_token");
  const JsonNode max_word = node.field("max_input_chars_per_word");
  const std::string_view prefix = node.field("continuing_subword_prefix").text();
  out.vocabulary = read_vocabulary(vocabulary);
  const auto id = out.vocabulary.id(unknown.text());
  if (!id) unknown.fail("a token of the vocabulary");
  out.unknown_id = *id;
  out.max_word = max_word.unsigned_number();
  if (std::min(out.max_word, out.vocabulary.longest_token()) > kMaxSteps) {
    max_word.fail("at most " + std::to_string(kMaxSteps) + " with a token of " +
                  std::to_string(out.vocabulary.longest_token()) + " bytes");
  }
  out.continuation = out.vocabulary.trie().walk(prefix);
  return out;
}

}  // namespace nybble::tokenizer
