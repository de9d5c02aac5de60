#include "tokenizer/utf8.h"

#include <catch2/catch.hpp>
#include <random>

namespace nybble::tokenizer {
namespace {

using namespace std::string_literals;

struct Case {
  std::string bytes;
  std::string repaired;
};

const std::string kBad = "\xEF\xBF\xBD";

TEST_CASE("each maximal invalid part becomes one replacement, as in Python") {
  const Case cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA9", "\xC3\xA9"},
      {"\xFF", kBad},
      {"a\x80z", "a" + kBad + "z"},
      {"\x80\x80", kBad + kBad},
      {"\xC0\xAF", kBad + kBad},                        // overlong
      {"\xE0\x80\x80", kBad + kBad + kBad},             // overlong: the second byte does not fit the first
      {"\xE2\x82", kBad},                               // cut at the end
      {"\xE2\x82z", kBad + "z"},                        // cut in the middle
      {"\xED\xA0\x80", kBad + kBad + kBad},             // a surrogate
      {"\xED\x9F\xBF", "\xED\x9F\xBF"},                 // the last before the surrogates
      {"\xF0\x9F\x98", kBad},                           // three of four bytes
      {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},         // all four
      {"\xF0\x8F\x80\x80", kBad + kBad + kBad + kBad},  // overlong
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},         // the last code point
      {"\xF4\x90\x80\x80", kBad + kBad + kBad + kBad},  // one beyond
      {"\xF1\x80\xE2\x82\xAC", kBad + "\xE2\x82\xAC"},
      {"\0\xC2"s, "\0"s + kBad},
  };
  for (const Case& c : cases) {
    INFO(c.repaired);
    CHECK(repair_utf8(c.bytes).text == c.repaired);
    CHECK(is_valid_utf8(c.bytes) == (c.bytes == c.repaired));
  }
}

TEST_CASE("repair counts the parts, names the first byte and maps offsets back") {
  const RepairedText repaired = repair_utf8(
      "ab\xE2\x82"
      "c\xFFz");
  CHECK(repaired.replaced == 2);
  CHECK(repaired.first_byte == 2);
  REQUIRE(repaired.text == "ab" + kBad + "c" + kBad + "z");
  const std::pair<std::size_t, std::size_t> pairs[] = {{0, 0}, {2, 2}, {5, 4}, {6, 5}, {9, 6}, {10, 7}};
  for (const auto& [in_repaired, in_original] : pairs)
    CHECK(repaired.to_original(in_repaired) == in_original);
}

TEST_CASE("a repaired random text is valid, stays as it is, and keeps its valid parts in place") {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 40, '\0');
    const unsigned char pool[] = {'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2,
                                  0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
    for (char& b : bytes) b = static_cast<char>(pool[random() % sizeof pool]);
    const RepairedText repaired = repair_utf8(bytes);
    INFO("seed 7, round " << round);
    REQUIRE(is_valid_utf8(repaired.text));
    REQUIRE(repaired.replaced == repaired.edits.size());
    REQUIRE(is_valid_utf8(bytes) == (repaired.replaced == 0));
    REQUIRE(repaired.to_original(repaired.text.size()) == bytes.size());
    std::size_t from = 0;
    for (const auto& edit : repaired.edits) {
      const std::size_t size = edit.repaired - kBad.size() - from;
      const std::string kept = repaired.text.substr(from, size);
      REQUIRE(bytes.substr(repaired.to_original(from), size) == kept);
      from = edit.repaired;
    }
  }
}

}  // namespace
}  // namespace nybble::tokenizer
