// The parts of BERT on a small vocabulary, one behaviour a test; goldens and parity.py have the many texts.
#include <catch2/catch.hpp>
#include <string>

#include "include/nybble/error.h"
#include "test/tokenizer/small_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace nybble::tokenizer {
namespace {

using test::small_json;

Tokenizer small(const std::string& name = "version", const std::string& json = R"("1.0")") {
  return Tokenizer::from_json(small_json(name, json), "small.json");
}

/// The tokens between [CLS] and [SEP], each with its part of the text.
std::string shown(const Tokenizer& tokenizer, const std::string& text, std::size_t max_tokens = 0) {
  const Encoding e = tokenizer.encode(text, max_tokens);
  std::vector<std::int32_t> ids, type_ids;
  tokenizer.encode_ids(text, max_tokens, ids, type_ids);
  REQUIRE(ids == e.ids);
  REQUIRE(type_ids == e.type_ids);
  std::string out;
  for (std::size_t i = 0; i < e.ids.size(); ++i) {
    if (e.special[i] != 0) continue;
    const auto [start, stop] = e.offsets[i];
    out += (out.empty() ? "" : " ") + std::string(tokenizer.token(e.ids[i])) + "=" +
           text.substr(start, stop - start);
  }
  return out;
}

TEST_CASE("an empty text is the special tokens alone") {
  const Encoding e = small().encode("");
  CHECK(e.ids == std::vector<std::int32_t>{2, 3});
  CHECK(e.special == std::vector<std::uint8_t>{1, 1});
  CHECK(e.word_ids == std::vector<std::int32_t>{-1, -1});
}

TEST_CASE("the longest token wins, and its continuation carries the prefix") {
  CHECK(shown(small(), "Hello unaffable") == "hello=Hello un=un ##aff=aff ##able=able");
  CHECK(shown(small(), "hella") == "hell=hell ##a=a");
}

TEST_CASE("a word with any unknown part is unknown as a whole") {
  CHECK(shown(small(), "unaffablq") == "[UNK]=unaffablq");
}

TEST_CASE("a word of more than max_input_chars_per_word code points is unknown") {
  CHECK(shown(small(), "a" + std::string(19, 'a')).starts_with("a=a ##a=a"));
  CHECK(shown(small(), std::string(21, 'a')) == "[UNK]=" + std::string(21, 'a'));
  CHECK(shown(small(), std::string(1 << 20, 'a')) == "[UNK]=" + std::string(1 << 20, 'a'));
}

TEST_CASE("punctuation is a word by itself and white space is dropped") {
  CHECK(shown(small(), " hello,world!\n") == "hello=hello ,=, world=world !=!");
}

TEST_CASE("clean_text removes control characters inside a word and keeps offsets") {
  CHECK(shown(small(), std::string("he\0l\x0Blo", 7)) == "hello=" + std::string("he\0l\x0Blo", 7));
}

TEST_CASE("accents go with lower case, composed or not") {
  CHECK(shown(small(), "h\xC3\xA9llo") == "hello=h\xC3\xA9llo");
  CHECK(shown(small(), "He\xCC\x81llo") == "hello=He\xCC\x81llo");
}

TEST_CASE("the Turkish capital dotted I loses its dot with the accents, and keeps it as a mark without") {
  const std::string dotted = "\xC4\xB0";
  CHECK(shown(small(), dotted) == "i=" + dotted);
  const Tokenizer kept = small("normalizer", R"({"type":"BertNormalizer","clean_text":true,
      "handle_chinese_chars":true,"strip_accents":false,"lowercase":true})");
  CHECK(shown(kept, dotted) == "i=" + dotted + " ##\xCC\x87=" + dotted);
}

TEST_CASE("a Hangul syllable is its jamo") {
  CHECK(shown(small(), "\xED\x95\x9C") ==
        "\xE1\x84\x92=\xED\x95\x9C ##\xE1\x85\xA1=\xED\x95\x9C ##\xE1\x86\xAB=\xED\x95\x9C");
}

TEST_CASE("an ideograph is a word by itself") {
  CHECK(shown(small(), "hello\xE4\xB8\xADworld") == "hello=hello \xE4\xB8\xAD=\xE4\xB8\xAD world=world");
}

TEST_CASE("an added token is found inside a word, before the normalizer sees the text") {
  CHECK(shown(small(), "hello[SEP]world") == "hello=hello [SEP]=[SEP] world=world");
  CHECK(shown(small(), "[sep]") == "[=[ [UNK]=sep ]=]");
}

std::string one_added(const std::string& flags) { return R"([{"id":99,"content":"mask",)" + flags + "}]"; }

TEST_CASE("added tokens swallow white space, and keep off words, when told to") {
  const Tokenizer strips = small(
      "added_tokens",
      one_added(R"("single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":false)"));
  CHECK(shown(strips, "a  mask \xC2\xA0x") == "a=a mask=  mask \xC2\xA0 x=x");
  const Tokenizer single = small(
      "added_tokens",
      one_added(R"("single_word":true,"lstrip":false,"rstrip":false,"normalized":false,"special":false)"));
  CHECK(shown(single, "xmask") == "[UNK]=xmask");
  CHECK(shown(single, "x,mask!") == "x=x ,=, mask=mask !=!");
}

TEST_CASE("a normalized added token is found in the normalized text") {
  const Tokenizer tokenizer = small(
      "added_tokens",
      one_added(R"("single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false)"));
  CHECK(shown(tokenizer, "aM\xC3\x81SK!") == "a=a mask=M\xC3\x81SK !=!");
}

TEST_CASE("an added token that the model does not know gets the next free id") {
  const Tokenizer tokenizer = small(
      "added_tokens",
      R"([{"id":7,"content":"<new>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}])");
  CHECK(tokenizer.id("<new>") == 29);
  CHECK(tokenizer.token(29) == "<new>");
  CHECK(tokenizer.vocabulary_size() == 30);
}

TEST_CASE("an added token without content is passed over") {
  const Tokenizer tokenizer = small(
      "added_tokens",
      R"([{"id":7,"content":"","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}])");
  CHECK(shown(tokenizer, "hello") == "hello=hello");
}

TEST_CASE("many blanks between added tokens that strip them cost time in proportion") {
  const Tokenizer tokenizer = small(
      "added_tokens",
      R"([{"id":0,"content":" ","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":false}])");
  const Encoding e = tokenizer.encode(std::string(1 << 20, ' ') + "a");
  CHECK(e.ids.size() > 2);
}

TEST_CASE("a text is cut to max_tokens, specials included, and encode_ids says so") {
  const Tokenizer tokenizer = small();
  CHECK(shown(tokenizer, "hello , world", 4) == "hello=hello ,=,");
  std::vector<std::int32_t> ids, type_ids;
  CHECK_FALSE(tokenizer.encode_ids("hello world", 4, ids, type_ids));
  CHECK(tokenizer.encode_ids("hello world", 3, ids, type_ids));
  CHECK(tokenizer.encode_ids("unaffable", 3, ids, type_ids));
  CHECK(tokenizer.encode_ids("hello", 2, ids, type_ids));
  CHECK(ids == std::vector<std::int32_t>{2, 7, 8, 3, 2, 7, 3, 2, 4, 3, 2, 3});
  CHECK(type_ids.size() == ids.size());
}

TEST_CASE("fewer max_tokens than special tokens are an error") {
  CHECK_THROWS_WITH(small().encode("a", 1), Catch::Contains("At most 1 tokens"));
  CHECK_THROWS_WITH(small().encode_pair("a", "a", 2), Catch::Contains("3 or more"));
  CHECK(small().special_tokens_of_single() == 2);
}

TEST_CASE("the longer text of a pair is cut first") {
  const Tokenizer tokenizer = small();
  const auto ids = [&](std::size_t max_tokens) {
    return tokenizer.encode_pair("a a a a a", "x x", max_tokens).ids;
  };
  CHECK(ids(0) == std::vector<std::int32_t>{2, 16, 16, 16, 16, 16, 3, 24, 24, 3});
  CHECK(ids(8) == std::vector<std::int32_t>{2, 16, 16, 16, 3, 24, 24, 3});
  CHECK(ids(6) == std::vector<std::int32_t>{2, 16, 16, 3, 24, 3});
  CHECK(tokenizer.encode_pair("a", "x").type_ids == std::vector<std::int32_t>{0, 0, 0, 1, 1});
}

TEST_CASE("without parts around the model a text is one word and nothing is added") {
  test::Parts parts = test::small_parts();
  parts["normalizer"] = parts["pre_tokenizer"] = parts["post_processor"] = "null";
  const Tokenizer tokenizer = Tokenizer::from_json(test::to_json(parts), "small.json");
  CHECK(shown(tokenizer, "unaffable") == "un=un ##aff=aff ##able=able");
  CHECK(shown(tokenizer, "hello world") == "[UNK]=hello world");
  CHECK(tokenizer.encode_pair("a", "x").type_ids == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("BertProcessing puts [CLS] and [SEP] around") {
  const Tokenizer tokenizer =
      small("post_processor", R"({"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]})");
  CHECK(tokenizer.encode("a").ids == std::vector<std::int32_t>{2, 16, 3});
  CHECK(tokenizer.encode_pair("a", "x").ids == std::vector<std::int32_t>{2, 16, 3, 24, 3});
  CHECK(tokenizer.encode_pair("a", "x").type_ids == std::vector<std::int32_t>{0, 0, 0, 1, 1});
}

TEST_CASE("truncation and padding of the file are read and not applied") {
  test::Parts parts = test::small_parts();
  parts["truncation"] = R"({"max_length":3,"strategy":"LongestFirst","stride":0})";
  parts["padding"] = R"({"strategy":{"Fixed":128},"pad_id":0})";
  const Tokenizer tokenizer = Tokenizer::from_json(test::to_json(parts), "small.json");
  CHECK(tokenizer.left_over_state().truncation->max_tokens == 3);
  CHECK(tokenizer.left_over_state().padding->length == 128);
  CHECK(tokenizer.encode("a a a a").ids.size() == 6);
}

TEST_CASE("invalid UTF-8 gives some tokens and reads nothing beyond the text") {
  const Tokenizer tokenizer = small();
  for (const std::string tail :
       {"\xC3", "\xE4\xB8", "\xF0\x9F\x98", "\x80", "\xFF", "\xF7\xBF\xBF\xBF", "\xED\xA0\x80"}) {
    const std::string text = "hello" + tail;
    const std::vector<char> exact(text.begin(), text.end());  // its end is guarded in sanitizer builds
    const Encoding e = tokenizer.encode(std::string_view(exact.data(), exact.size()));
    CHECK(e.ids.size() >= 2);
  }
}

}  // namespace
}  // namespace nybble::tokenizer
