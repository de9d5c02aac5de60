// The parts of a tokenizer.json. A new kind of part is a file of its own, an alternative of its variant and a
// line where the kinds are listed: normalizer.cc, pre_tokenizer.cc, post_processor.cc, decoder.cc, and for
// models here.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram.h"
#include "tokenizer/word_level.h"
#include "tokenizer/word_piece.h"

namespace nybble::tokenizer {

using Model = std::variant<WordPiece, Bpe, Unigram, WordLevel>;

/// Immutable once read.
struct Pipeline {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Model model;
  AddedTokens added;
  PostProcessor post_processor;
  std::optional<Decoder> decoder;
  LeftOverState left_over_state;
};

/// Reads the whole of a tokenizer.json. Throws Error{unsupported_model}.
Pipeline read_pipeline(const JsonNode& root);

const Vocabulary& vocabulary(const Model& model);
std::string_view type_name(const Model& model);

}  // namespace nybble::tokenizer
