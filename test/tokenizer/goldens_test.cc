// The texts of goldens/ (make_goldens.py): ids, type ids, offsets, word ids and specials as the reference has
// them.
#include <simdjson.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tokenizer/tokenizer.h"

namespace nybble::tokenizer {
namespace {

std::filesystem::path folder() {
  const char* given = std::getenv("NYBBLE_TOKENIZER_GOLDENS");
  return given != nullptr ? given : "test/tokenizer/goldens";
}

template <class T>
std::vector<T> numbers(simdjson::dom::element list) {
  std::vector<T> out;
  for (const std::int64_t value : simdjson::dom::array(list)) out.push_back(static_cast<T>(value));
  return out;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges(simdjson::dom::element list) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  for (const simdjson::dom::element pair : simdjson::dom::array(list)) {
    out.emplace_back(std::uint64_t(pair.at(0)), std::uint64_t(pair.at(1)));
  }
  return out;
}

std::string text_of(simdjson::dom::element line, const char* name) {
  std::string_view text;
  return line[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

const Tokenizer& tokenizer_for(const std::string& settings) {
  static std::map<std::string, Tokenizer> loaded;
  const auto found = loaded.find(settings);
  if (found != loaded.end()) return found->second;
  return loaded.emplace(settings, Tokenizer::from_file(folder() / ("tokenizer-" + settings + ".json")))
      .first->second;
}

void check_line(simdjson::dom::element line) {
  const Tokenizer& tokenizer = tokenizer_for(text_of(line, "settings"));
  const std::string text = text_of(line, "text");
  std::uint64_t max_tokens = 0;
  if (line["max_tokens"].get(max_tokens) != simdjson::SUCCESS) max_tokens = 0;
  const bool pair = line["second"].is_string();
  Truncation cut{max_tokens};
  bool left = false;
  if (line["left"].get(left) == simdjson::SUCCESS && left) cut.side = Truncation::Side::left;
  std::uint64_t stride = 0;
  if (line["stride"].get(stride) == simdjson::SUCCESS) cut.stride = stride;
  const Encoding e =
      pair ? tokenizer.encode_pair(text, text_of(line, "second"), cut) : tokenizer.encode(text, cut);
  INFO(simdjson::to_string(line));
  REQUIRE(e.ids == numbers<std::int32_t>(line["ids"]));
  REQUIRE(e.type_ids == numbers<std::int32_t>(line["type_ids"]));
  REQUIRE(e.word_ids == numbers<std::int32_t>(line["word_ids"]));
  REQUIRE(e.special == numbers<std::uint8_t>(line["special"]));
  REQUIRE(e.offsets == ranges(line["offsets"]));
  if (line["decoded"].is_string()) REQUIRE(tokenizer.decode(e.ids) == text_of(line, "decoded"));
  if (pair || left) return;
  std::vector<std::int32_t> ids, type_ids;
  tokenizer.encode_ids(text, max_tokens, ids, type_ids);
  REQUIRE(ids == e.ids);
  REQUIRE(type_ids == e.type_ids);
}

TEST_CASE("the golden texts have the reference's ids, type ids, offsets, word ids and specials") {
  std::ifstream in(folder() / "texts.jsonl");
  simdjson::dom::parser parser;
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) check_line(parser.parse(line));
  CHECK(lines > 600);
}

}  // namespace
}  // namespace nybble::tokenizer
