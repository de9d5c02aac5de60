// Chains of tokens that stay apart, beside joining pair by pair, which is the definition.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/code_points.h"
#include "tokenizer/token_chains.h"

namespace nybble::tokenizer {
namespace {

/// Characters are tokens; merges make the others.
class Model {
 public:
  explicit Model(std::vector<std::string> characters) : tokens_(std::move(characters)) {}

  std::size_t tokens() const { return tokens_.size(); }
  const std::string& token(std::size_t id) const { return tokens_[id]; }

  void add_merge(std::size_t left, std::size_t right) {
    const std::string both = tokens_[left] + tokens_[right];
    const auto known = std::find(tokens_.begin(), tokens_.end(), both);
    merges_.push_back({left, right, static_cast<std::size_t>(known - tokens_.begin())});
    if (known == tokens_.end()) tokens_.push_back(both);
  }

  /// Merges may then have lower ranks than those that make their parts.
  void shuffle(std::mt19937& random) { std::shuffle(merges_.begin(), merges_.end(), random); }

  void finish() {
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      vocabulary_.add(tokens_[i], static_cast<std::int32_t>(i));
    vocabulary_.freeze_hashed();
    table_.reserve(merges_.size());
    for (const auto& [left, right, made] : merges_) {
      table_.add(static_cast<std::int32_t>(left), static_cast<std::int32_t>(right),
                 {rank_++, static_cast<std::int32_t>(made)});
    }
    chains_ = TokenChains::build(vocabulary_, table_);
  }

  using Ids = std::vector<std::int32_t>;

  Ids by_pairs(const std::string& text) const {
    BpeScratch scratch;
    for (std::size_t at = 0; at < text.size();) {
      const std::uint32_t size = read_code_point(text, at).size;
      scratch.symbols.push_back({*vocabulary_.id(text.substr(at, size)), size});
      at += size;
    }
    merge_pairs(table_, scratch.symbols, scratch);
    return ids(scratch);
  }

  /// Absent if the search is given up.
  std::optional<Ids> by_chains(const std::string& text) const {
    BpeScratch scratch;
    const auto size = chains_.value().append(text, table_, scratch);
    if (!size) return std::nullopt;
    CHECK(*size == text.size());
    return ids(scratch);
  }

  std::uint64_t steps_of_chains(const std::string& text) const {
    BpeScratch scratch;
    CHECK(chains_.value().append(text, table_, scratch));
    return scratch.steps;
  }

  const std::optional<TokenChains>& chains() const { return chains_; }
  const MergeTable& table() const { return table_; }

 private:
  struct Merge {
    std::size_t left, right, made;
  };

  static Ids ids(const BpeScratch& scratch) {
    Ids out;
    for (const Symbol& s : scratch.symbols) out.push_back(s.id);
    return out;
  }

  std::vector<std::string> tokens_;
  std::vector<Merge> merges_;
  Vocabulary vocabulary_;
  MergeTable table_;
  std::optional<TokenChains> chains_;
  std::uint32_t rank_ = 0;
};

Model drawn_model(std::mt19937& random, std::size_t merges, bool shuffled) {
  Model model({"a", "b", "\u2581", "\u00e9"});
  for (std::size_t i = 0; i < merges; ++i) {
    const std::size_t left = random() % model.tokens(), right = random() % model.tokens();
    if (model.token(left).size() + model.token(right).size() < 40) model.add_merge(left, right);
  }
  if (shuffled) model.shuffle(random);
  model.finish();
  return model;
}

std::string drawn_text(std::mt19937& random, const Model& model, std::size_t pieces) {
  std::string out;
  for (std::size_t i = 0; i < pieces; ++i) out += model.token(random() % (random() % model.tokens() + 1));
  return out;
}

TEST_CASE("chains are what joining pairs makes, of drawn merges in any order and drawn texts") {
  constexpr unsigned kSeed = 20260;
  std::mt19937 random(kSeed);
  INFO("seed " << kSeed);
  for (int round = 0; round < 300; ++round) {
    const Model model = drawn_model(random, 1 + random() % 60, round % 3 == 0);
    REQUIRE(model.chains());
    for (int i = 0; i < 10; ++i) {
      const std::string text = drawn_text(random, model, 1 + random() % 40);
      const auto found = model.by_chains(text);
      if (found) REQUIRE(*found == model.by_pairs(text));
      if (!found) CHECK(round % 3 == 0);
    }
  }
}

TEST_CASE("merges that cross blanks join over the whole of a text, others stay within words") {
  Model crossing({"a", "b", "\u2581"}), within({"a", "b", "\u2581"});
  crossing.add_merge(1, 2);  // b_
  crossing.add_merge(3, 0);  // b_a
  crossing.add_merge(0, 4);  // ab_a
  within.add_merge(2, 0);    // _a
  within.add_merge(3, 1);    // _ab
  crossing.finish();
  within.finish();
  const std::string text = "ab\u2581ab\u2581a";
  CHECK(crossing.by_chains(text) == Model::Ids{5, 4});
  CHECK(within.by_chains(text) == Model::Ids{0, 1, 4, 3});
  CHECK(crossing.by_pairs(text) == Model::Ids{5, 4});
}

TEST_CASE("of pairs with the same rank the leftmost joins first in chains, too") {
  Model model({"a", "b"});
  model.add_merge(0, 0);  // aa
  model.add_merge(2, 2);  // aaaa
  model.add_merge(2, 1);  // aab
  model.finish();
  for (std::size_t n = 1; n < 20; ++n) {
    const std::string text = std::string(n, 'a') + "b";
    CHECK(model.by_chains(text) == model.by_pairs(text));
  }
  CHECK(model.by_chains("aaab") == Model::Ids{2, 0, 1});
}

TEST_CASE("a token that its own text is not encoded as is in no chain") {
  Model model({"a", "b", "c"});
  model.add_merge(1, 2);  // bc
  model.add_merge(0, 1);  // ab
  model.add_merge(4, 2);  // abc, but bc joins before ab can
  model.finish();
  CHECK(model.by_chains("abc") == Model::Ids{0, 3});
}

TEST_CASE("a run ends before what is unknown") {
  Model model({"a", "b"});
  model.add_merge(0, 1);
  model.finish();
  BpeScratch scratch;
  CHECK(model.chains()->append("abaxab", model.table(), scratch) == 3U);
  CHECK(scratch.symbols.size() == 2);
  CHECK(model.chains()->append("x", model.table(), scratch) == 0U);
}

TEST_CASE("two tokens with one id have no chains, nor have sparse ids") {
  const auto chains_of = [](std::int32_t second) {
    Vocabulary vocabulary;
    vocabulary.add("a", 0);
    vocabulary.add("b", second);
    vocabulary.freeze_hashed();
    return TokenChains::build(vocabulary, MergeTable{});
  };
  CHECK(chains_of(1));
  CHECK(!chains_of(0));
  CHECK(!chains_of(1 << 30));
}

TEST_CASE("chains take steps in proportion to the text, or are given up") {
  std::mt19937 random(7);
  const Model model = drawn_model(random, 60, false);
  const std::string text = drawn_text(random, model, 20000);
  const auto steps = [&](const std::string& t) {
    return static_cast<double>(model.steps_of_chains(t)) / static_cast<double>(t.size());
  };
  std::string twice = text + text;
  CHECK(steps(twice) < 1.1 * steps(text) + 0.1);

  // Each character begins a token of all those after it, which the text never has to its end.
  std::vector<std::string> characters;
  std::string cut;
  for (char32_t c = 0x400; c < 0x400 + 500; ++c) {
    characters.emplace_back();
    append_code_point(characters.back(), c);
    cut += c + 1 < 0x400 + 500 ? characters.back() : "";
  }
  Model hard(characters);
  hard.add_merge(498, 499);
  for (std::size_t i = 498; i-- > 0;) hard.add_merge(i, hard.tokens() - 1);
  hard.finish();
  CHECK(!hard.by_chains(cut + cut + cut));
}

}  // namespace
}  // namespace nybble::tokenizer
