// What is put around the tokens of a text or a pair. Every post-processor is read into two templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/json_reader.h"

namespace nybble::tokenizer {

struct TemplatePiece {
  enum class Kind { first_text, second_text, special };
  Kind kind = Kind::first_text;
  std::int32_t type_id = 0;
  std::vector<std::int32_t> ids;  ///< of a special piece
};

using Template = std::vector<TemplatePiece>;

struct PostProcessor {
  Template single;  ///< holds the first text at most once, the second never
  Template pair;    ///< holds each text at most once
};

/// How many tokens a template adds.
std::size_t special_tokens(const Template& pieces);

/// Nothing around; the second text of a pair has type 1.
PostProcessor no_post_processor();
PostProcessor read_template_processing(const JsonNode& node);
PostProcessor read_bert_processing(const JsonNode& node);

}  // namespace nybble::tokenizer
