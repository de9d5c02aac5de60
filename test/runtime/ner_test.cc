// Entities against what transformers' token-classification pipeline answers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "task_goldens.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr float kClose = 1e-4F;

const std::map<std::string, Aggregation> kAggregations = {{"none", Aggregation::none},
                                                          {"simple", Aggregation::simple},
                                                          {"first", Aggregation::first},
                                                          {"average", Aggregation::average},
                                                          {"max", Aggregation::max}};

EntityRecognizer load(const std::string& folder, Weights weights = Weights::f32) {
  return EntityRecognizer::load(task_folder(folder).string(), task_options(weights));
}

std::vector<Entity> entities_of(const EntityRecognizer& recognizer, std::string_view text,
                                const EntityOptions& options = {}) {
  return recognizer.entities({&text, 1}, options)[0];
}

/// Characters [begin, end) of UTF-8.
std::string characters(const std::string& text, std::size_t begin, std::size_t end) {
  std::string found;
  std::size_t count = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80) ++count;
    if (count > begin && count <= end) found += c;
  }
  return found;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Guy Steele met the hackers of Palo Alto, unbelievably. ";
  return text;
}

bool same(const Entity& a, const Entity& b) {
  return a.label == b.label && a.byte_begin == b.byte_begin && a.byte_end == b.byte_end && a.score == b.score;
}

}  // namespace

TEST_CASE("entities are those of the token-classification pipeline, with every aggregation strategy") {
  for (const std::string folder : {"bert", "roberta"}) {
    const EntityRecognizer recognizer = load(folder);
    for (const auto& row : read_json_lines(task_folder(folder) / "golden/ner.jsonl")) {
      const std::string text = row["text"], strategy = row["strategy"];
      INFO(folder << ", " << strategy << ": " << text);
      EntityOptions options;
      options.aggregation = kAggregations.at(strategy);
      options.ignored_labels = row["ignore"].get<std::vector<std::string>>();
      const std::vector<Entity> found = entities_of(recognizer, text, options);
      REQUIRE(found.size() == row["entities"].size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto& expected = row["entities"][i];
        INFO("entity " << i << ": " << expected.dump());
        const bool none = strategy == "none";
        CHECK(found[i].label == expected[none ? "entity" : "entity_group"].get<std::string>());
        CHECK(found[i].word == expected["word"].get<std::string>());
        CHECK(found[i].char_begin == expected["start"].get<std::size_t>());
        CHECK(found[i].char_end == expected["end"].get<std::size_t>());
        CHECK(std::fabs(found[i].score - expected["score"].get<float>()) <= kClose);
        if (none) CHECK(found[i].token == expected["index"].get<std::size_t>());
        CHECK(text.substr(found[i].byte_begin, found[i].byte_end - found[i].byte_begin) ==
              characters(text, found[i].char_begin, found[i].char_end));
      }
    }
  }
}

TEST_CASE("entities are the same bits alone and beside other texts") {
  const EntityRecognizer recognizer = load("bert", Weights::int8);
  const std::vector<std::string_view> texts = {"Guy Steele met the hackers", "in Palo Alto", "", "A."};
  const auto together = recognizer.entities(texts);
  REQUIRE(together.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = entities_of(recognizer, texts[i]);
    CHECK(std::equal(alone.begin(), alone.end(), together[i].begin(), together[i].end(), same));
  }
}

TEST_CASE("offsets into text that is no UTF-8 are those of the text as given") {
  const EntityRecognizer recognizer = load("bert");
  EntityOptions options;
  options.aggregation = Aggregation::none;
  options.ignored_labels = {};
  const std::string good = "at MIT \xEF\xBF\xBD in Boston", bad = "at MIT \xFF in Boston";
  EntityReport report;
  const std::vector<std::string_view> texts = {"fine", bad};
  const auto found = recognizer.entities(texts, options, &report);
  const auto expected = entities_of(recognizer, good, options);
  REQUIRE(found[1].size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(found[1][i].char_begin == expected[i].char_begin);
    CHECK(found[1][i].char_end == expected[i].char_end);
    const bool behind = expected[i].byte_begin > 7;
    CHECK(found[1][i].byte_begin == expected[i].byte_begin - (behind ? 2 : 0));
  }
  CHECK(report.invalid_texts == 1);
  CHECK(report.invalid_parts == 1);
  CHECK(report.first_invalid == 1);
}

TEST_CASE("a long text is read in windows, and every token is an entity once") {
  const EntityRecognizer recognizer = load("bert", Weights::int8);
  const std::string text = long_text();
  const std::vector<std::string_view> texts = {text, "short"};
  EntityOptions options;
  options.aggregation = Aggregation::none;
  options.ignored_labels = {};
  EntityReport report;
  const auto found = recognizer.entities(texts, options, &report)[0];
  CHECK(report.windowed == 1);
  CHECK(report.windows > 10);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].token == i + 1);
    if (i > 0) CHECK(found[i].byte_begin >= found[i - 1].byte_begin);
  }
  CHECK(found.front().byte_begin == 0);
  CHECK(found.back().byte_end == text.size() - 1);
}

TEST_CASE("where windows meet, a token's scores come from the one that sees most around it") {
  const EntityRecognizer recognizer = load("bert", Weights::int8);
  std::string text;
  for (int i = 0; i < 70; ++i) text += std::string(i ? " " : "") + static_cast<char>('a' + i * i % 26);
  EntityOptions options;
  options.aggregation = Aggregation::none;
  options.ignored_labels = {};
  options.window = 32;
  options.overlap = 10;
  const auto merged = entities_of(recognizer, text, options);
  REQUIRE(merged.size() == 70);
  // Windows of 30 tokens, 20 from one to the next. Their tokens 0 to 4 are seen better by the window before,
  // 25 to 29 by the one behind.
  for (std::size_t first : {0U, 20U, 40U}) {
    const auto alone = entities_of(recognizer, text.substr(2 * first, 59), options);
    REQUIRE(alone.size() == 30);
    for (std::size_t i = first == 0 ? 0 : 5; i < (first == 40 ? 30 : 25); ++i) {
      INFO("window from " << first << ", token " << i);
      CHECK(merged[first + i].score == alone[i].score);
      CHECK(merged[first + i].label == alone[i].label);
    }
  }
}

TEST_CASE("a long text is cut on the side that is asked for") {
  const EntityRecognizer recognizer = load("bert", Weights::int8);
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::string(i ? " " : "") + static_cast<char>('a' + i * i % 26);
  EntityOptions options;
  options.aggregation = Aggregation::none;
  options.ignored_labels = {};
  const std::size_t room = recognizer.info().max_tokens - 2;
  for (const bool left : {false, true}) {
    options.truncate = left ? Truncate::left : Truncate::right;
    const std::size_t first = left ? 200 - room : 0;
    EntityReport report;
    const std::vector<std::string_view> texts = {"short", text};
    const auto found = recognizer.entities(texts, options, &report)[1];
    const auto alone = entities_of(recognizer, text.substr(2 * first, 2 * room - 1), options);
    CHECK(report.cut == 1);
    CHECK(report.windows == 2);
    REQUIRE(found.size() == room);
    REQUIRE(alone.size() == room);
    for (std::size_t i = 0; i < room; ++i) {
      CHECK(found[i].score == alone[i].score);
      CHECK(found[i].label == alone[i].label);
      CHECK(found[i].byte_begin == alone[i].byte_begin + 2 * first);
      CHECK(found[i].char_end == alone[i].char_end + 2 * first);
    }
  }
}

TEST_CASE("a long text is an error where that is asked for, and with windows nothing is cut") {
  const EntityRecognizer recognizer = load("bert");
  const std::string text = long_text();
  const std::vector<std::string_view> texts = {"short", text};
  EntityOptions options;
  options.truncate = Truncate::error;
  CHECK_THROWS_WITH(recognizer.entities(texts, options), "text 1: expected at most 76 tokens, found more");
  CHECK(recognizer.entities({texts.data(), 1}, options).size() == 1);
  options.overlap = 3;
  CHECK_THROWS_WITH(recognizer.entities(texts, options), "truncate: expected it or windows, found both");
  options.truncate = {};
  EntityReport report;
  recognizer.entities(texts, options, &report);
  CHECK(report.cut == 0);
}

TEST_CASE("equal texts and equal windows are computed once") {
  const EntityRecognizer recognizer = load("bert", Weights::int8);
  const std::vector<std::string_view> texts = {"Guy Steele", "at MIT", "Guy Steele", "Guy  Steele"};
  EntityReport report;
  const auto found = recognizer.entities(texts, {}, &report);
  CHECK(report.folded == 2);
  CHECK(report.windows == 4);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = entities_of(recognizer, texts[i]);
    REQUIRE(alone.size() == found[i].size());
    CHECK(std::equal(alone.begin(), alone.end(), found[i].begin(), same));
  }
  std::string text = "a";
  for (int i = 1; i < 300; ++i) text += " a";
  EntityOptions options;
  options.window = 32;
  const std::string_view view = text;
  recognizer.entities({&view, 1}, options, &report);
  CHECK(report.windows > 10);
  CHECK(report.folded == report.windows - 2);  // all but the first and, if it is shorter, the last
}

TEST_CASE("a window that cannot be is an error") {
  const EntityRecognizer recognizer = load("bert");
  const auto error = [&](std::size_t window, std::size_t overlap) -> std::string {
    EntityOptions options;
    options.window = window;
    options.overlap = overlap;
    try {
      entities_of(recognizer, "a", options);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::bad_input);
      return error.what();
    }
    return "";
  };
  CHECK(error(81, 0) == "window: expected 3 to 80 tokens, found 81");
  CHECK(error(2, 0) == "window: expected 3 to 80 tokens, found 2");
  CHECK(error(10, 8) == "overlap: expected fewer than the 8 tokens of a window, found 8");
  CHECK(error(10, 7).empty());
}
