// Tokens to entities, as pure functions: what the goldens' models do not happen to show.
#include "runtime/entities.h"

#include <catch2/catch.hpp>

namespace nybble::runtime {
namespace {

const std::vector<std::string> kLabels = {"O", "B-PER", "I-PER", "I-LOC"};

/// A token of the text "ab cd …", one word of two letters a number; `best` is the label of its score, 0.7.
ScoredToken token(std::size_t place, std::size_t best, bool is_subword = false) {
  static const std::vector<std::vector<float>> kRows = {
      {0.7F, 0.1F, 0.1F, 0.1F}, {0.1F, 0.7F, 0.1F, 0.1F}, {0.1F, 0.1F, 0.7F, 0.1F}, {0.1F, 0.1F, 0.1F, 0.7F}};
  return {"w" + std::to_string(place), kRows[best], 3 * place, 3 * place + 2, place + 1, is_subword};
}

std::string join(std::vector<std::string> words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// "LABEL(word word)[begin,end) …"
std::string text_of(const std::vector<Entity>& entities) {
  std::string text;
  for (const Entity& entity : entities) {
    text += (text.empty() ? "" : " ") + entity.label + "(" + entity.word + ")[" +
            std::to_string(entity.byte_begin) + "," + std::to_string(entity.byte_end) + ")";
  }
  return text;
}

std::string simple(const std::vector<ScoredToken>& tokens) {
  return text_of(aggregate(tokens, kLabels, Aggregation::simple, join));
}

}  // namespace

TEST_CASE("a label's tag is what follows B- or I-; other labels go on with their like") {
  CHECK(tag_of("B-PER").name == "PER");
  CHECK(tag_of("B-PER").begins);
  CHECK(tag_of("I-PER").name == "PER");
  CHECK_FALSE(tag_of("I-PER").begins);
  CHECK(tag_of("S-PER").name == "S-PER");
  CHECK_FALSE(tag_of("O").begins);
}

TEST_CASE("B- begins an entity, I- goes on with one of its tag, whatever began that") {
  CHECK(simple({token(0, 1), token(1, 2), token(2, 2)}) == "PER(w0 w1 w2)[0,8)");
  CHECK(simple({token(0, 1), token(1, 1)}) == "PER(w0)[0,2) PER(w1)[3,5)");
  CHECK(simple({token(0, 2), token(1, 3)}) == "PER(w0)[0,2) LOC(w1)[3,5)");
  CHECK(simple({token(0, 0), token(1, 0)}) == "O(w0 w1)[0,5)");
  CHECK(simple({}).empty());
}

TEST_CASE("without aggregation each token has its whole label") {
  const std::vector<ScoredToken> tokens = {token(0, 1), token(1, 2, true)};
  CHECK(text_of(aggregate(tokens, kLabels, Aggregation::none, join)) == "B-PER(w0)[0,2) I-PER(w1)[3,5)");
}

TEST_CASE("a word has its first token's label, that of its mean scores, or that of its greatest") {
  const std::vector<float> person = {0.2F, 0.0F, 0.5F, 0.3F}, sure = {0.1F, 0.0F, 0.0F, 0.9F},
                           other = {0.0F, 0.5F, 0.5F, 0.0F};
  std::vector<ScoredToken> tokens = {token(0, 0), token(1, 0, true), token(2, 0, true)};
  tokens[0].scores = person, tokens[1].scores = sure, tokens[2].scores = other;
  const auto of = [&](Aggregation aggregation) { return aggregate(tokens, kLabels, aggregation, join); };
  CHECK(text_of(of(Aggregation::first)) == "PER(w0 w1 w2)[0,8)");
  CHECK(of(Aggregation::first)[0].score == 0.5F);
  CHECK(text_of(of(Aggregation::max)) == "LOC(w0 w1 w2)[0,8)");
  CHECK(of(Aggregation::max)[0].score == 0.9F);
  CHECK(text_of(of(Aggregation::average)) == "LOC(w0 w1 w2)[0,8)");
  CHECK(of(Aggregation::average)[0].score == Approx(0.4F));
}

TEST_CASE("a word that begins with a subword is a word all the same") {
  const std::vector<ScoredToken> tokens = {token(0, 1, true), token(1, 2, true), token(2, 3)};
  CHECK(text_of(aggregate(tokens, kLabels, Aggregation::first, join)) == "PER(w0 w1)[0,5) LOC(w2)[6,8)");
}

TEST_CASE("an entity's score is the mean of its words'") {
  std::vector<ScoredToken> tokens = {token(0, 1), token(1, 2)};
  const std::vector<float> half = {0.1F, 0.1F, 0.5F, 0.3F};
  tokens[1].scores = half;
  CHECK(aggregate(tokens, kLabels, Aggregation::simple, join)[0].score == Approx(0.6F));
}

}  // namespace nybble::runtime
