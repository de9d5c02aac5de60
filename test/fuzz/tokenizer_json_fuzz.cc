// Any bytes as a tokenizer.json: either an Error or a tokenizer that encodes.
#include <cstdint>
#include <string_view>

#include "include/nybble/error.h"
#include "tokenizer/tokenizer.h"

namespace {

using nybble::tokenizer::Encoding;
using nybble::tokenizer::Tokenizer;

constexpr std::string_view kTexts[] = {
    "",
    "Hello, unaffable [MASK] world!  x",
    "a\xCC\x81\xE3\x80\xAE\xED\x95\x9C\xE4\xB8\xAD\xC4\xB0",
    "   \t\n  foo  ",
    "[CLS][SEP]foo<x>foo ##ing",
    "\xC2\xA9\xE2\x80\x8D don't \xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x95 1234 \xEF\xBB\xBF''\r\nab",
};

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void encode(const Tokenizer& tokenizer, std::string_view text, std::size_t max_tokens) try {
  const Encoding e = tokenizer.encode(text, max_tokens);
  require(e.type_ids.size() == e.ids.size() && e.offsets.size() == e.ids.size() &&
          e.word_ids.size() == e.ids.size() && e.special.size() == e.ids.size());
  for (const auto& [start, stop] : e.offsets) require(start <= stop && stop <= text.size());
  for (const std::int32_t id : e.ids) {
    require(id >= 0);
    static_cast<void>(tokenizer.token(id));
  }
  require(max_tokens == 0 || e.ids.size() <= max_tokens);
  std::vector<std::int32_t> ids, type_ids;
  tokenizer.encode_ids(text, max_tokens, ids, type_ids);
  require(ids == e.ids && type_ids == e.type_ids);
  nybble::tokenizer::Truncation truncation{max_tokens};
  truncation.overflow = e.overflow.size() < 50;  // a long Prepend makes thousands of windows
  tokenizer.encode_pair(text, kTexts[1], truncation);
  const auto decoded = tokenizer.decode(e.ids, false);
  require(decoded.size() <= (std::size_t{1} << 30));
} catch (const nybble::Error&) {  // max_tokens below the template's own
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) try {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const Tokenizer tokenizer = Tokenizer::from_json(json, "fuzz.json");
  static_cast<void>(tokenizer.vocabulary_size());
  static_cast<void>(tokenizer.id("[CLS]"));
  for (const std::string_view text : kTexts) {
    for (const std::size_t max_tokens : {0, 1, 4}) encode(tokenizer, text, max_tokens);
  }
  return 0;
} catch (const nybble::Error&) {
  return 0;
}
