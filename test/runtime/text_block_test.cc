#include "runtime/text_block.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>

#include "nybble/error.h"

using namespace nybble;
using namespace nybble::runtime;

namespace {

const tokenizer::Tokenizer& micro() {
  static const auto tokenizer =
      tokenizer::Tokenizer::from_file(std::filesystem::path(NYBBLE_GOLDEN) / "micro-bert" / "tokenizer.json");
  return tokenizer;
}

std::vector<std::string> some_texts(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int k = 0; k < i * 7 % 13; ++k) text += "the word " + std::to_string(i) + " ";
    if (i % 11 == 5) text += "\xff and \xfe\xfe";
    texts.push_back(text);
  }
  return texts;
}

struct Counter : StepObserver {
  std::atomic<std::size_t> texts = 0;
  void step_ran(const Step&, const Task&, TimeSpan) noexcept override {}
  void batch_ran(const Plan&, const Batch&, TimeSpan) noexcept override {}
  void texts_tokenized(std::size_t count, TimeSpan) noexcept override { texts += count; }
};

using Ids = std::vector<std::int32_t>;

constexpr std::size_t kMaxTokens = 20;

TextForm form_of(std::size_t max_tokens) {
  TextForm form;
  form.max_tokens = max_tokens;
  return form;
}

const TextForm kForm = form_of(kMaxTokens);

Ids ids_of(const TokenizedText& text) {
  const auto ids = text.sequences[0].ids;
  return {ids.begin(), ids.end()};
}

Ids types_of(const TokenizedText& text) {
  const auto types = text.sequences[0].types;
  return {types.begin(), types.end()};
}

}  // namespace

TEST_CASE("a block's texts become what each becomes alone, in order, whatever the threads") {
  const std::vector<std::string> texts = some_texts(100);
  for (const int threads : {1, 2, 7}) {
    const Scheduler scheduler(threads);
    TextBlock block(micro(), scheduler, kForm, 1000, nullptr);
    for (int round = 0; round < 3; ++round) {
      // The views, and copies that the block keeps, of all, and of the last few in a block that was larger
      // before.
      const std::size_t first = round == 2 ? 90 : 0;
      for (std::size_t i = first; i < texts.size(); ++i)
        round == 0 ? block.add(texts[i]) : block.add_own(texts[i]);
      std::size_t index = first;
      block.tokenize([&](const TokenizedText& text) {
        INFO(threads << " threads, text " << index);
        const auto repaired = texts[index].find('\xff') == std::string::npos ? 0u : 2u;
        Ids ids, types;
        std::string valid = texts[index];
        if (repaired)
          valid.replace(valid.find('\xff'), 1, "\uFFFD"),
              valid.replace(valid.find('\xfe'), 2, "\uFFFD\uFFFD");
        const bool is_cut = micro().encode_ids(valid, kMaxTokens, ids, types);
        REQUIRE(text.is_cut == is_cut);
        REQUIRE(text.sequences.size() == 1);
        REQUIRE(ids_of(text) == ids);
        REQUIRE(types_of(text) == types);
        REQUIRE(text.invalid_texts == (repaired ? 1 : 0));
        REQUIRE(text.invalid_parts == (repaired ? 3 : 0));
        REQUIRE(!text.error);
        ++index;
      });
      REQUIRE(index == texts.size());
    }
  }
}

TEST_CASE("pairs and texts of one block do not mix") {
  const Scheduler scheduler(2);
  TextBlock block(micro(), scheduler, kForm, 1000, nullptr);
  block.add_pair("the word", "another \xff word");
  block.add("the word");
  const std::string long_word(100, 'a');
  block.add_pair(long_word, "the the the the the the the the the the the the the");
  std::vector<Ids> types;
  std::vector<std::size_t> invalid, cut;
  block.tokenize([&](const TokenizedText& text) {
    types.push_back(types_of(text));
    invalid.push_back(text.invalid_texts);
    cut.push_back(text.is_cut);
  });
  REQUIRE(types.size() == 3);
  REQUIRE((types[0].front() == 0 && types[0].back() == 1));
  REQUIRE(types[1].back() == 0);
  REQUIRE(types[2].size() <= kMaxTokens);
  REQUIRE(invalid == std::vector<std::size_t>{1, 0, 0});
  REQUIRE(!cut[1]);
}

TEST_CASE("a text that the tokenizer refuses is told of in its turn") {
  for (const int threads : {1, 3}) {
    const Scheduler scheduler(threads);
    // One token leaves no room for the special tokens.
    const TextForm form = form_of(1);
    TextBlock block(micro(), scheduler, form, 1000, nullptr);
    for (int i = 0; i < 1100; ++i) block.add("some text");
    int refused = 0;
    block.tokenize([&](const TokenizedText& text) {
      REQUIRE(text.sequences.empty());
      REQUIRE(text.error);
      REQUIRE_THROWS_AS(std::rethrow_exception(text.error), Error);
      ++refused;
    });
    REQUIRE(refused == 1100);
    struct Enough {};
    block.add("some text");
    block.add("some text");
    REQUIRE_THROWS_AS(block.tokenize([](const TokenizedText&) { throw Enough(); }), Enough);
  }
}

TEST_CASE("a block is full when it makes about a batch, or keeps much that will be cut off") {
  const Scheduler scheduler(1);
  const TextForm form = form_of(10);
  TextBlock block(micro(), scheduler, form, 100, nullptr);
  const auto added_until_full = [&](const std::string& text, bool own) {
    int added = 0;
    for (; !block.is_full(); ++added) own ? block.add_own(text) : block.add(text);
    block.tokenize([](const TokenizedText&) {});
    return added;
  };
  REQUIRE(!block.is_full());
  REQUIRE(added_until_full("", false) == 100);                 // a token each
  REQUIRE(added_until_full("sixteen bytes...", false) == 20);  // five
  REQUIRE(added_until_full("sixteen bytes...", true) == 20);
  REQUIRE(added_until_full(std::string(100000, 'a'), false) == 10);  // ten, the rest is cut off
  REQUIRE(added_until_full(std::string(1000000, 'a'), true) == 2);   // 2 MB
}

TEST_CASE("an observer is told of every text once") {
  for (const int threads : {1, 4}) {
    const Scheduler scheduler(threads);
    Counter counter;
    TextBlock block(micro(), scheduler, kForm, 1000, &counter);
    for (const std::string& text : some_texts(100)) block.add_own(text);
    block.tokenize([](const TokenizedText&) {});
    REQUIRE(counter.texts == 100);
  }
}
