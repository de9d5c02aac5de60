// Any bytes as a text, for several tokenizers: nothing is read out of bounds, the fast path agrees with
// encode(), offsets lie between code points, repaired UTF-8 is valid.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "include/nybble/error.h"
#include "test/tokenizer/small_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace {

using namespace nybble::tokenizer;

constexpr const char* kAdded = R"([
  {"id":0,"content":"[MASK]","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":true},
  {"id":0,"content":"foo","single_word":true,"lstrip":false,"rstrip":true,"normalized":false,"special":false}])";
constexpr const char* kMoreAdded = R"([
  {"id":0,"content":" ","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":true},
  {"id":0,"content":"\u00e9","single_word":true,"lstrip":true,"rstrip":false,"normalized":false,"special":false},
  {"id":0,"content":"Foo","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":false}])";
constexpr const char* kKeepAll = R"({"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,
                                    "strip_accents":false,"lowercase":false})";

Tokenizer make(const std::string& part, const std::string& json) {
  return Tokenizer::from_json(test::small_json(part, json), "small.json");
}

std::vector<Tokenizer> make_all() {
  std::vector<Tokenizer> all;
  all.push_back(make("version", R"("1.0")"));
  all.push_back(make("added_tokens", kAdded));
  all.push_back(make("added_tokens", kMoreAdded));
  all.push_back(make("normalizer", kKeepAll));
  all.push_back(make("normalizer", "null"));
  all.push_back(make("pre_tokenizer", "null"));
  for (const std::string& json : test::other_jsons()) all.push_back(Tokenizer::from_json(json, "other.json"));
  return all;
}

const Tokenizer& tokenizer(std::size_t i) {
  static const std::vector<Tokenizer> all = make_all();
  return all[i % all.size()];
}

void require(bool holds) {
  if (!holds) __builtin_trap();
}

bool between_code_points(std::string_view text, std::size_t at) {
  return at == text.size() || (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80);
}

void check(const Tokenizer& t, std::string_view text, std::size_t max_tokens, bool valid) {
  const Encoding e = t.encode(text, max_tokens);
  for (const auto& [start, stop] : e.offsets) {
    require(start <= stop && stop <= text.size());
    require(!valid || (between_code_points(text, start) && between_code_points(text, stop)));
  }
  std::vector<std::int32_t> ids, type_ids;
  const bool cut = t.encode_ids(text, max_tokens, ids, type_ids);
  require(!valid || (ids == e.ids && type_ids == e.type_ids));
  require(!valid || cut == (max_tokens != 0 && t.encode(text).ids.size() > max_tokens));
  static_cast<void>(t.decode(e.ids, false));
  const Truncation left{max_tokens, {}, Truncation::Side::left, max_tokens > 8 ? max_tokens - 8 : 0};
  for (const Encoding& window : t.encode(text, left).overflow) require(window.ids.size() <= max_tokens);
  const Encoding pair = t.encode_pair(text, "hello", max_tokens);
  require(max_tokens == 0 || pair.ids.size() <= max_tokens);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t max_tokens = data[1] < 128 ? 0 : 4 + data[1] % 16;
  const RepairedText repaired = repair_utf8(text);
  require(is_valid_utf8(repaired.text) && (repaired.replaced == 0) == is_valid_utf8(text));
  require(repaired.to_original(repaired.text.size()) == text.size());
  check(tokenizer(data[0]), text, max_tokens, is_valid_utf8(text));
  check(tokenizer(data[0]), repaired.text, max_tokens, true);
  return 0;
}
