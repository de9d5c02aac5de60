// The parts of a tokenizer.json. A new kind of part is a file of its own, an alternative of the variant here
// and a line in pipeline.cc, where the types that work are listed.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bert_normalizer.h"
#include "tokenizer/bert_pre_tokenizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/word_piece.h"

namespace nybble::tokenizer {

using Normalizer = std::variant<std::monostate, BertNormalizer>;      ///< monostate: the text as it is
using PreTokenizer = std::variant<std::monostate, BertPreTokenizer>;  ///< monostate: the text is one word
using Model = std::variant<WordPiece>;

/// Immutable once read.
struct Pipeline {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Model model;
  AddedTokens added;
  PostProcessor post_processor;
  LeftOverState left_over_state;
};

/// Reads the whole of a tokenizer.json. Throws Error{unsupported_model}.
Pipeline read_pipeline(const JsonNode& root);

AlignedText normalize(const Normalizer& normalizer, AlignedText input);
/// Appends the words of a part of `text` that is not empty, as byte ranges of `text`.
void pre_tokenize(const PreTokenizer& pre_tokenizer, std::string_view text, Span within,
                  std::vector<Span>& words);
const Vocabulary& vocabulary(const Model& model);
std::string_view type_name(const Model& model);

}  // namespace nybble::tokenizer
