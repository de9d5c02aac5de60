// Long texts: windows, and what is cut.
#include "runtime/text_windows.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::runtime;
using namespace nybble::test;

namespace {

using Offsets = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Tokens of one byte each, of which some share a character: "aabbb" is two and three tokens of a character.
Offsets offsets_of(const std::string& characters) {
  Offsets offsets;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    std::size_t begin = i, end = i + 1;
    while (begin > 0 && characters[begin - 1] == characters[i]) --begin;
    while (end < characters.size() && characters[end] == characters[i]) ++end;
    offsets.emplace_back(begin, end);
  }
  return offsets;
}

std::vector<TokenRange> windows(const std::string& characters, std::size_t room, std::size_t overlap) {
  return cut_windows(offsets_of(characters), room, overlap);
}

Model model_f32() {
  LoadOptions options;
  options.weights = Weights::f32;
  return load_golden("micro-bert", options);
}

const std::string kLong =
    "a null device is a data sink that takes whatever is written to it, and gives nothing to who reads; it "
    "is what "
    "one writes to when the output of a program is not wanted, and a byte bucket is another name of the same "
    "thing, "
    "as is the bit bucket, where lost mail and news go";

std::vector<float> row_of(const Model& model, std::string_view text, const EncodeOptions& options = {}) {
  std::vector<float> row(model.info().dimensions);
  model.encode({&text, 1}, row, options);
  return row;
}

std::vector<float> row_of_ids(const Model& model, const std::vector<std::int32_t>& ids) {
  std::vector<float> row(model.info().dimensions);
  const std::vector<std::int32_t> borders = {0, static_cast<std::int32_t>(ids.size())};
  model.encode_ids(ids, borders, row);
  return row;
}

}  // namespace

TEST_CASE("windows cover all tokens, and share as many as they should") {
  REQUIRE(windows("", 4, 2) == std::vector<TokenRange>{{0, 0}});
  REQUIRE(windows("abcd", 4, 2) == std::vector<TokenRange>{{0, 4}});
  REQUIRE(windows("abcde", 4, 0) == std::vector<TokenRange>{{0, 4}, {4, 5}});
  REQUIRE(windows("abcdefg", 4, 2) == std::vector<TokenRange>{{0, 4}, {2, 6}, {4, 7}});
  REQUIRE(windows("abcdefg", 4, 3) == std::vector<TokenRange>{{0, 4}, {1, 5}, {2, 6}, {3, 7}});
}

TEST_CASE("no window begins or ends within a character") {
  REQUIRE(windows("abcccd", 4, 0) == std::vector<TokenRange>{{0, 2}, {2, 6}});
  REQUIRE(windows("aabbccdd", 5, 1) == std::vector<TokenRange>{{0, 4}, {4, 8}});
  REQUIRE(windows("aabbccdd", 5, 2) == std::vector<TokenRange>{{0, 4}, {2, 6}, {4, 8}});
  REQUIRE_THROWS_WITH(windows("abbbbb", 4, 1),
                      "a character of the text: expected at most 4 tokens, the room of a window, found more");
}

TEST_CASE("windows of any text, room and overlap are in order, within their room and without a gap") {
  std::uint32_t seed = 1;
  const auto next = [&](std::uint32_t n) { return (seed = seed * 1664525 + 1013904223) >> 16 & 0x7FFF % n; };
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (std::uint32_t c = 0, n = next(20); c < n; ++c) text.append(1 + next(3), static_cast<char>('a' + c));
    const std::size_t room = 3 + next(9), overlap = next(static_cast<std::uint32_t>(room) - 2);
    const auto found = windows(text, room, overlap);
    INFO(text << " " << room << " " << overlap);
    REQUIRE(found.front().begin == 0);
    REQUIRE(found.back().end == text.size());
    for (std::size_t w = 0; w < found.size(); ++w) {
      REQUIRE(found[w].end - found[w].begin <= room);
      if (w == 0) continue;
      REQUIRE(found[w].begin > found[w - 1].begin);
      REQUIRE(found[w].begin <= found[w - 1].end);
      REQUIRE(found[w - 1].end - found[w].begin <= overlap);
    }
  }
}

TEST_CASE("the row of windows is their mean by number of tokens, normalized") {
  const Model model = model_f32();
  EncodeOptions options;
  options.chunk = 20;
  options.overlap = 5;
  const std::vector<Window> all = model.windows(kLong, options);
  REQUIRE(all.size() >= 4);
  std::vector<double> sum(40);
  for (const Window& window : all) {
    REQUIRE(window.tokens.ids.size() <= 20);
    REQUIRE(window.lead == 1);
    REQUIRE(window.end_token - window.first_token + 2 == window.tokens.ids.size());
    const std::vector<float> row = row_of_ids(model, window.tokens.ids);
    for (std::size_t i = 0; i < 40; ++i)
      sum[i] += static_cast<double>(row[i]) * static_cast<double>(window.end_token - window.first_token);
  }
  double length = 0;
  for (const double value : sum) length += value * value;
  const std::vector<float> found = row_of(model, kLong, options);
  for (std::size_t i = 0; i < 40; ++i)
    REQUIRE(std::fabs(static_cast<double>(found[i]) - sum[i] / std::sqrt(length)) <= 2e-6);
}

TEST_CASE("windows say which tokens and bytes of the text they have") {
  const Model model = model_f32();
  EncodeOptions options;
  options.chunk = 20;
  options.overlap = 5;
  options.prompt = "text: ";
  const std::vector<Window> all = model.windows(kLong, options);
  REQUIRE(all.front().first_byte == 0);
  REQUIRE(all.back().end_byte == kLong.size());
  for (std::size_t w = 0; w < all.size(); ++w) {
    const Window& window = all[w];
    const auto& offsets = window.tokens.offsets;
    REQUIRE(window.lead == all.front().lead);
    REQUIRE(window.lead > 1);
    REQUIRE(offsets[window.lead].first == window.first_byte);
    REQUIRE(offsets[offsets.size() - 2].second == window.end_byte);
    for (std::size_t t = 1; t < window.lead; ++t)
      REQUIRE(offsets[t] == std::pair<std::size_t, std::size_t>{0, 0});
    if (w > 0) REQUIRE(all[w - 1].end_token - window.first_token == 5);
  }
}

TEST_CASE("a text that fits one window has the bits that it has without windows") {
  const Model model = load_golden("micro-bert");
  EncodeOptions options;
  options.chunk = 30;
  for (const std::string text : {"", "a null device", "one two three"})
    REQUIRE(row_of(model, text, options) == row_of(model, text));
}

TEST_CASE("a text is cut on the right, on the left, or refused") {
  const Model model = model_f32();
  const std::vector<Window> whole = [&] {
    EncodeOptions options;
    options.truncate = Truncate::error;
    return model.windows(kLong, options);
  }();
  const std::vector<std::int32_t> ids = whole[0].tokens.ids;
  REQUIRE(ids.size() > 64);
  EncodeOptions options;
  std::vector<std::int32_t> right(ids.begin(), ids.begin() + 63), left = {ids[0]};
  right.push_back(ids.back());
  left.insert(left.end(), ids.end() - 63, ids.end());
  REQUIRE(row_of(model, kLong) == row_of_ids(model, right));
  options.truncate = Truncate::left;
  REQUIRE(row_of(model, kLong, options) == row_of_ids(model, left));
  options.truncate = Truncate::error;
  REQUIRE_THROWS_WITH(
      row_of(model, kLong, options),
      "text 0: expected at most 64 tokens, special ones included, found " + std::to_string(ids.size()));
  REQUIRE(row_of(model, "short", options) == row_of(model, "short"));
}

TEST_CASE("cut on the left a text keeps its prompt") {
  const Model model = model_f32();
  EncodeOptions options;
  options.prompt = "text: ";
  options.truncate = Truncate::left;
  const Window window = model.windows(kLong, options).at(0);
  const Window prompt = model.windows("", options).at(0);
  REQUIRE(window.tokens.ids.size() == 64);
  REQUIRE(std::equal(prompt.tokens.ids.begin(), prompt.tokens.ids.end() - 1, window.tokens.ids.begin()));
  REQUIRE(window.end_byte == kLong.size());
}

TEST_CASE("windows without room for a text are refused") {
  const Model model = model_f32();
  const auto sentence = [&](std::size_t chunk, std::size_t overlap) {
    EncodeOptions options;
    options.chunk = chunk;
    options.overlap = overlap;
    try {
      row_of(model, "text", options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  REQUIRE(sentence(65, 0) == "chunk: expected at most the model's 64 tokens, found 65");
  REQUIRE(sentence(10, 8) ==
          "chunk: expected room for more than 2 special tokens, 0 of the prompt and 8 that windows share, "
          "found 10");
  REQUIRE(sentence(0, 3) == "overlap: expected it with chunk, found no chunk");
  REQUIRE(sentence(10, 7).empty());
}

TEST_CASE("the windows of many texts in one call have the bits of each alone") {
  const Model model = load_golden("micro-bert");
  EncodeOptions options;
  options.chunk = 12;
  options.overlap = 3;
  const std::vector<std::string_view> texts = {kLong, "", "short", kLong, std::string_view(kLong).substr(40)};
  std::vector<float> rows(texts.size() * 40);
  const EncodeReport report = model.encode(texts, rows, options);
  REQUIRE(report.texts == texts.size());
  REQUIRE(report.windows > texts.size());
  REQUIRE(report.cut == 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> row = row_of(model, texts[i], options);
    REQUIRE(std::memcmp(row.data(), rows.data() + i * 40, 160) == 0);
  }
}
