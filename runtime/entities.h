// From the scores of tokens to entities: the aggregation strategies of transformers' token-classification
// pipelines, as pure functions.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/tasks.h"

namespace nybble::runtime {

/// A token of a text, special ones left out.
struct ScoredToken {
  std::string word;                ///< its name in the vocabulary; of an unknown one the text
  std::span<const float> scores;   ///< one a label
  std::size_t begin = 0, end = 0;  ///< bytes of the text
  std::size_t index = 0;           ///< among the text's tokens
  bool is_subword = false;         ///< goes on with the word of the token before
};

/// A label without its B- or I-, and whether it begins an entity. Other labels go on with their like.
struct Tag {
  std::string_view name;
  bool begins = false;
};
Tag tag_of(std::string_view label);

/// What the tokenizer's decoder makes of tokens.
using JoinWords = std::function<std::string(std::vector<std::string> words)>;

/// The entities of a text, those of ignored labels too; char_begin and char_end are left 0. Sums run in
/// double, in order.
std::vector<Entity> aggregate(std::span<const ScoredToken> tokens, std::span<const std::string> labels,
                              Aggregation aggregation, const JoinWords& join);

}  // namespace nybble::runtime
