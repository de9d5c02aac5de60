#include "runtime/entities.h"

#include <algorithm>

namespace nybble::runtime {
namespace {

/// The first of the greatest.
std::size_t best_of(std::span<const float> scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

float mean(double sum, std::size_t count) { return static_cast<float>(sum / static_cast<double>(count)); }

Entity entity_of(const ScoredToken& token, std::span<const std::string> labels) {
  const std::size_t best = best_of(token.scores);
  Entity entity;
  entity.label = labels[best];
  entity.score = token.scores[best];
  entity.word = token.word;
  entity.byte_begin = token.begin;
  entity.byte_end = token.end;
  entity.token = token.index;
  return entity;
}

/// The scores that decide for a word of several tokens.
std::vector<float> word_scores(std::span<const ScoredToken> tokens, Aggregation aggregation) {
  const auto copy = [](const ScoredToken& token) {
    return std::vector<float>(token.scores.begin(), token.scores.end());
  };
  if (aggregation == Aggregation::first) return copy(tokens[0]);
  if (aggregation == Aggregation::max) {
    const auto best = [](const ScoredToken& token) { return token.scores[best_of(token.scores)]; };
    return copy(
        *std::max_element(tokens.begin(), tokens.end(),
                          [&](const ScoredToken& a, const ScoredToken& b) { return best(a) < best(b); }));
  }
  std::vector<float> means(tokens[0].scores.size());
  for (std::size_t i = 0; i < means.size(); ++i) {
    double sum = 0;
    for (const ScoredToken& token : tokens) sum += token.scores[i];
    means[i] = mean(sum, tokens.size());
  }
  return means;
}

/// A word as an entity of its own.
Entity entity_of_word(std::span<const ScoredToken> tokens, std::span<const std::string> labels,
                      Aggregation aggregation, const JoinWords& join) {
  const std::vector<float> scores = word_scores(tokens, aggregation);
  const std::size_t best = best_of(scores);
  Entity entity = entity_of(tokens[0], labels);
  entity.label = labels[best];
  entity.score = scores[best];
  entity.byte_end = tokens.back().end;
  std::vector<std::string> words;
  for (const ScoredToken& token : tokens) words.push_back(token.word);
  entity.word = join(std::move(words));
  return entity;
}

std::vector<Entity> words_of(std::span<const ScoredToken> tokens, std::span<const std::string> labels,
                             Aggregation aggregation, const JoinWords& join) {
  std::vector<Entity> words;
  for (std::size_t begin = 0, end = 0; begin < tokens.size(); begin = end) {
    for (end = begin + 1; end < tokens.size() && tokens[end].is_subword;) ++end;
    words.push_back(entity_of_word(tokens.subspan(begin, end - begin), labels, aggregation, join));
  }
  return words;
}

bool goes_on(const Entity& entity, const Entity& before) {
  const Tag tag = tag_of(entity.label);
  return !tag.begins && tag.name == tag_of(before.label).name;
}

/// One entity of several tokens or words.
Entity grouped(std::span<const Entity> parts, const JoinWords& join) {
  Entity entity = parts[0];
  // What stands behind the first '-', as the pipelines have it for labels such as S-LOC.
  entity.label = entity.label.substr(entity.label.find('-') + 1);
  entity.byte_end = parts.back().byte_end;
  double sum = 0;
  std::vector<std::string> words;
  for (const Entity& part : parts) {
    sum += part.score;
    words.push_back(part.word);
  }
  entity.score = mean(sum, parts.size());
  entity.word = join(std::move(words));
  return entity;
}

std::vector<Entity> group(std::span<const Entity> parts, const JoinWords& join) {
  std::vector<Entity> entities;
  for (std::size_t begin = 0, end = 0; begin < parts.size(); begin = end) {
    for (end = begin + 1; end < parts.size() && goes_on(parts[end], parts[end - 1]);) ++end;
    entities.push_back(grouped(parts.subspan(begin, end - begin), join));
  }
  return entities;
}

}  // namespace

Tag tag_of(std::string_view label) {
  const bool begins = label.starts_with("B-");
  return {begins || label.starts_with("I-") ? label.substr(2) : label, begins};
}

std::vector<Entity> aggregate(std::span<const ScoredToken> tokens, std::span<const std::string> labels,
                              Aggregation aggregation, const JoinWords& join) {
  if (aggregation != Aggregation::none && aggregation != Aggregation::simple)
    return group(words_of(tokens, labels, aggregation, join), join);
  std::vector<Entity> entities;
  for (const ScoredToken& token : tokens) entities.push_back(entity_of(token, labels));
  return aggregation == Aggregation::none ? entities : group(entities, join);
}

}  // namespace nybble::runtime
