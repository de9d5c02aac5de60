// What a damaged or foreign tokenizer.json is answered with.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "include/nybble/error.h"
#include "test/tokenizer/small_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace nybble::tokenizer {
namespace {

using test::small_json;

/// The sentence that a JSON text is refused with.
std::string refusal(const std::string& json) {
  try {
    Tokenizer::from_json(json, "t.json");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported_model);
    return error.what();
  }
  return "accepted";
}

std::string model_with(const std::string& field, const std::string& json) {
  test::Parts fields = {{"type", R"("WordPiece")"},
                        {"unk_token", R"("[UNK]")"},
                        {"continuing_subword_prefix", R"("##")"},
                        {"max_input_chars_per_word", "100"},
                        {"vocab", R"({"[UNK]":0})"}};
  fields[field] = json;
  if (json.empty()) fields.erase(field);
  return small_json("model", test::to_json(fields));
}

std::string template_with(const std::string& single) {
  return small_json("post_processor",
                    R"({"type":"TemplateProcessing","pair":[],"special_tokens":{"S":{"id":"S","ids":[1],
      "tokens":["S"]}},"single":)" +
                        single + "}");
}

TEST_CASE("a part of another type names the path, what was found and what works") {
  const std::string normalizers =
      "BertNormalizer or NFC or NFD or NFKC or NFKD or Lowercase or StripAccents or Strip or Replace or "
      "Prepend or "
      "Precompiled or Nmt or ByteLevel or Sequence";
  CHECK(refusal(small_json("normalizer", R"({"type":"Nope"})")) ==
        "t.json: $.normalizer.type: expected " + normalizers + ", found \"Nope\".");
  CHECK(refusal(
            small_json("normalizer", R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"x"}]})")) ==
        "t.json: $.normalizer.normalizers[1].type: expected " + normalizers + ", found \"x\".");
  CHECK(refusal(small_json("normalizer", "[1]")) ==
        "t.json: $.normalizer: expected " + normalizers + " or null, found an array.");
  CHECK(refusal(small_json("pre_tokenizer", R"({"type":"Bytes"})")) ==
        "t.json: $.pre_tokenizer.type: expected BertPreTokenizer or ByteLevel or Metaspace or Whitespace or "
        "WhitespaceSplit or Split or Punctuation or Digits or UnicodeScripts or CharDelimiterSplit or "
        "FixedLength or "
        "Sequence, found \"Bytes\".");
  CHECK(refusal(small_json("model", R"({"type":"Bigram","vocab":{},"merges":[]})")) ==
        "t.json: $.model.type: expected WordPiece or BPE or Unigram or WordLevel, found \"Bigram\".");
  CHECK(
      refusal(small_json("post_processor", R"({"type":"Processing"})")) ==
      "t.json: $.post_processor.type: expected TemplateProcessing or BertProcessing or RobertaProcessing or "
      "ByteLevel or Sequence, found \"Processing\".");
  CHECK(refusal(small_json("decoder", R"({"type":"Decoder"})")) ==
        "t.json: $.decoder.type: expected WordPiece or ByteLevel or Metaspace or ByteFallback or Fuse or "
        "Replace or "
        "Strip or BPEDecoder or CTC or Sequence, found \"Decoder\".");
}

TEST_CASE("what is missing, twice or of a wrong type is named") {
  const std::pair<std::string, std::string> cases[] = {
      {small_json("model", ""), "t.json: $.model: expected a value, found nothing."},
      {small_json("model", "null"), "t.json: $.model: expected an object, found null."},
      {small_json("version", R"("2.0")"), "t.json: $.version: expected \"1.0\", found \"2.0\"."},
      {small_json("normalizer", R"({"type":"BertNormalizer","clean_text":1})"),
       "t.json: $.normalizer.clean_text: expected true or false, found the number 1."},
      {small_json("added_tokens", R"([{"id":0}])"),
       "t.json: $.added_tokens[0].content: expected a value, found nothing."},
      {small_json("truncation", R"({"max_length":-1})"),
       "t.json: $.truncation.max_length: expected an integer of 0 or more, found the number -1."},
      {R"({"model":{"type":"WordPiece"},"model":{"type":"WordPiece"}})",
       "t.json: $.model: expected one value, found a second one."},
      {"[]", "t.json: $: expected an object, found an array."},
      {model_with("unk_token", R"("<unk>")"),
       "t.json: $.model.unk_token: expected a token of the vocabulary, found \"<unk>\"."},
      {model_with("max_input_chars_per_word", "1e9"),
       "t.json: $.model.max_input_chars_per_word: expected an integer of 0 or more, found the number "
       "1000000000.0."},
      {model_with("vocab", R"({"[UNK]":0,"a b":-3})"),
       "t.json: $.model.vocab[\"a b\"]: expected an integer of 0 to 2147483647, found the number -3."},
      {model_with("vocab", R"({"[UNK]":4294967296})"),
       "t.json: $.model.vocab[\"[UNK]\"]: expected an integer of 0 to 2147483647, found the number "
       "4294967296."},
      {model_with("vocab", R"({"[UNK]":1.0})"),
       "t.json: $.model.vocab[\"[UNK]\"]: expected an integer of 0 to 2147483647, found the number 1.0."},
      {model_with("vocab", "[]"), "t.json: $.model.vocab: expected an object, found an array."},
      {template_with(R"([{"SpecialToken":{"id":"[CLS]","type_id":0}}])"),
       "t.json: $.post_processor.single[0].SpecialToken.id: expected a name of special_tokens, found "
       "\"[CLS]\"."},
      {template_with(R"([{"Sequence":{"id":"B","type_id":0}}])"),
       "t.json: $.post_processor.single[0]: expected the only text, A, found B."},
      {template_with(R"([{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"A","type_id":0}}])"),
       "t.json: $.post_processor.single[1]: expected each text once, found a second time."},
      {template_with(R"([{"Sequence":{"id":"A","type_id":-1}}])"),
       "t.json: $.post_processor.single[0].Sequence.type_id: expected an integer of 0 to 2147483647, found "
       "the number -1."},
      {template_with(R"([{}])"),
       "t.json: $.post_processor.single[0]: expected one of Sequence and SpecialToken, found an object."},
      {small_json("post_processor", R"({"type":"BertProcessing","sep":["[SEP]"],"cls":["[CLS]",2]})"),
       "t.json: $.post_processor.sep: expected a token and its id, found 1 values."},
  };
  for (const auto& [json, sentence] : cases) CHECK(refusal(json) == sentence);
}

TEST_CASE("an added token of which the normalizer leaves nothing is refused") {
  CHECK(
      refusal(small_json(
          "added_tokens",
          R"([{"id":0,"content":"\u0000","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}])")) ==
      "t.json: $.added_tokens: expected tokens that the normalizer leaves something of, found \"?\".");
}

TEST_CASE("a template that would add more tokens than it has bytes is refused") {
  std::string ids = "[1", pieces = "[";
  for (int i = 0; i < 2000; ++i) ids += ",1";
  for (int i = 0; i < 3; ++i)
    pieces += std::string(i == 0 ? "" : ",") + R"({"SpecialToken":{"id":"S","type_id":0}})";
  CHECK(refusal(small_json("post_processor",
                           R"({"type":"TemplateProcessing","pair":[],"special_tokens":{"S":{"ids":)" + ids +
                               R"(]}},"single":)" + pieces + "]}")) ==
        "t.json: $.post_processor.single[2]: expected at most 4096 special tokens, found 6003.");
}

TEST_CASE("what is no JSON is refused") {
  for (const std::string json : {"", "{", "{\"model\":", "\"\\ud800\"", "{\"a\":\"\xFF\"}", "nul"}) {
    INFO(json);
    CHECK_THAT(refusal(json), Catch::StartsWith("t.json: expected JSON, found"));
  }
  CHECK_THAT(refusal(std::string(100000, '[')), Catch::StartsWith("t.json: expected JSON, found"));
  CHECK_THAT(refusal(small_json("decoder", std::string(2000, '[') + std::string(2000, ']'))),
             Catch::StartsWith("t.json: expected JSON, found"));
}

TEST_CASE("steps a byte are bounded: long tokens and long words together are refused, each alone is not") {
  const std::string token(5000, 'a');
  const std::string vocab = R"({"[UNK]":0,")" + token + R"(":1})";
  CHECK(refusal(model_with("vocab", vocab)) == "accepted");
  CHECK(refusal(model_with("max_input_chars_per_word", "18446744073709551615")) == "accepted");
  const std::string both =
      small_json("model", R"({"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
      "max_input_chars_per_word":18446744073709551615,"vocab":)" +
                              vocab + "}");
  CHECK(refusal(both) ==
        "t.json: $.model.max_input_chars_per_word: expected at most 4096 with a token of 5000 bytes, "
        "found the number 18446744073709551615.");
}

TEST_CASE("huge and scattered ids cost no memory") {
  const Tokenizer tokenizer =
      Tokenizer::from_json(model_with("vocab", R"({"[UNK]":2147483647,"a":7})"), "t.json");
  CHECK(tokenizer.vocabulary_size() == std::size_t{1} << 31);
  CHECK(tokenizer.token(2147483647) == "[UNK]");
  CHECK(tokenizer.token(8).empty());
  CHECK(tokenizer.id("a") == 7);
}

TEST_CASE("a file that is missing, a directory or empty is named") {
  const auto code_of = [](const std::string& file, const std::string& found) {
    try {
      Tokenizer::from_file(file);
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Catch::StartsWith(file + ": expected") && Catch::Contains(found));
      return error.code();
    }
    FAIL("accepted");
    return ErrorCode::busy;
  };
  CHECK(code_of("/nonexistent/tokenizer.json", "none") == ErrorCode::io);
  CHECK(code_of("/tmp", "a directory") == ErrorCode::io);
  CHECK(code_of("/dev/null", "") == ErrorCode::unsupported_model);
}

TEST_CASE("a model without a type is told by its fields") {
  CHECK(refusal(model_with("type", "")) == "accepted");
}

}  // namespace
}  // namespace nybble::tokenizer
