// What is put around the tokens of a text or a pair. Every post-processor is read into two templates, and
// what is done to offsets before.
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

/// Leaves white space that a token starts or ends with out of its offsets.
struct OffsetTrim {
  bool keep_prefix_space = false;  ///< but not a single one at the start of the text: it was put there
};

struct PostProcessor {
  Template single;  ///< holds the first text at most once, the second never
  Template pair;    ///< holds each text at most once
  std::vector<OffsetTrim> trims;
};

/// How many tokens a template adds.
std::size_t special_tokens(const Template& pieces);

/// Nothing around; the second text of a pair has type 1.
PostProcessor no_post_processor();
PostProcessor read_template_processing(const JsonNode& node);
PostProcessor read_bert_processing(const JsonNode& node);
PostProcessor read_roberta_processing(const JsonNode& node);
PostProcessor read_byte_level_processing(const JsonNode& node);

/// The member `post_processor` of the whole file.
PostProcessor read_post_processor(const JsonNode& root);

}  // namespace nybble::tokenizer
