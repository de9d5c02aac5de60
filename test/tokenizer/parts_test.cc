// Parts beside those of BERT, one behaviour a test; goldens, parity.py and differential.py have the many
// texts.
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "include/nybble/error.h"
#include "test/tokenizer/small_tokenizer.h"
#include "tokenizer/bpe.h"
#include "tokenizer/regex.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram.h"

namespace nybble::tokenizer {
namespace {

constexpr const char* kBpe =
    R"({"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2,"c":3,"ab":4,"abc":5,"aa":6,"aaaa":7," ":8,
        "\u2581":9,"\u2581a":10,"bc":11,"<s>":12,"</s>":13},
        "merges":[["a","b"],["ab","c"],["a","a"],["aa","aa"],["\u2581","a"]]})";
constexpr const char* kUnigram =
    R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["b",-1.5],["ab",-2],["abc",-6],["c",-3],
        ["\u2581",-4],["\u2581a",-4.5]]})";

std::string bare(const std::string& name, const std::string& json, const std::string& model = kBpe) {
  test::Parts parts = {{"version", R"("1.0")"}, {"model", model}};
  parts[name] = json;
  return test::to_json(parts);
}

Tokenizer load(const std::string& json) { return Tokenizer::from_json(json, "t.json"); }

std::string refusal(const std::string& json) {
  try {
    load(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

using Ids = std::vector<std::int32_t>;

Ids ids(const std::string& json, const std::string& text) { return load(json).encode(text).ids; }

TEST_CASE("pairs join by rank, then from left to right") {
  CHECK(ids(bare("version", "\"1.0\""), "abc") == Ids{5});
  CHECK(ids(bare("version", "\"1.0\""), "aaaaa") == Ids{7, 1});
  CHECK(ids(bare("version", "\"1.0\""), "aabb") == Ids{1, 4, 2});
}

TEST_CASE("long words join as short ones do") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "aaaaabcab";
  const Tokenizer tokenizer = load(bare("version", "\"1.0\""));
  Ids expected;
  for (int i = 0; i < 40; ++i) {
    const Ids piece = tokenizer.encode("aaaaabcab").ids;
    expected.insert(expected.end(), piece.begin(), piece.end());
  }
  CHECK(tokenizer.encode(text).ids == expected);
}

TEST_CASE("what BPE does not know is its unknown token, or nothing, or refused") {
  CHECK(ids(bare("version", "\"1.0\""), "axxb") == Ids{1, 0, 0, 2});
  std::string model = kBpe;
  model.replace(model.find("\"<unk>\","), 8, "null,");
  CHECK(ids(bare("version", "\"1.0\"", model), "axxb") == Ids{4});
  model.replace(model.find("null,"), 5, "\"none\",");
  CHECK_THROWS_WITH(ids(bare("version", "\"1.0\"", model), "axb"), Catch::Contains("unk_token"));
}

TEST_CASE("merges may be texts, and name their place where they do not fit") {
  const auto with = [](const std::string& merges) {
    return bare("version", "\"1.0\"",
                R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":)" + merges + "}");
  };
  CHECK(ids(with(R"(["#version: 0.2","a b"])"), "ab") == Ids{2});
  CHECK(refusal(with(R"(["a b","ab"])")) == "t.json: $.model.merges[1]: expected two tokens, found \"ab\".");
  CHECK(refusal(with(R"([["a","c"]])")) ==
        "t.json: $.model.merges[0]: expected tokens of the vocabulary, found \"c\".");
  CHECK(refusal(with(R"([["a","b"],"a b"])")) ==
        "t.json: $.model.merges[1]: expected merges that are all texts or all pairs, found \"a b\".");
}

TEST_CASE("the best sum of scores wins, and unknown parts side by side are one token") {
  const std::string json = bare("version", "\"1.0\"", kUnigram);
  CHECK(ids(json, "abab") == Ids{3, 3});
  CHECK(ids(json, "abc") == Ids{3, 5});
  const Encoding e = load(json).encode("axyzb");
  CHECK(e.ids == Ids{1, 0, 2});
  CHECK(e.offsets[1] == std::pair(1U, 4U));
  REQUIRE(e.spelled.size() == 1);
  CHECK(e.spelled[0] == std::pair(1U, std::string("xyz")));
  CHECK(refusal(bare("version", "\"1.0\"", R"({"type":"Unigram","vocab":[["a",1],["a",2]]})")) ==
        "t.json: $.model.vocab: expected different tokens, found one that is there twice.");
  CHECK(refusal(bare("version", "\"1.0\"", R"({"type":"Unigram","vocab":[["a",1],[2,"a"]]})")) ==
        "t.json: $.model.vocab[1]: expected a token and its score, found an array.");
  CHECK(refusal(bare("version", "\"1.0\"", R"({"type":"Unigram","unk_id":1,"vocab":[["a",1]]})")) ==
        "t.json: $.model.unk_id: expected an id below 1, found the number 1.");
}

template <class Model>
const Model parsed(const std::string& json, Model (*read)(const JsonNode&)) {
  simdjson::dom::parser parser;
  return read(JsonNode(parser.parse(json), "$.model", "t.json"));
}

TEST_CASE("a megabyte of one word takes steps in proportion: BPE") {
  const Bpe model = parsed(kBpe, read_bpe);
  const auto steps = [&](const std::string& word) {
    BpeScratch scratch;
    std::vector<ModelToken> out;
    model.tokenize(word, false, scratch, out);
    CHECK(!out.empty());
    return static_cast<double>(scratch.steps) / static_cast<double>(word.size());
  };
  for (const std::string piece : {"a", "abc", " ", "ab aab"}) {
    std::string word;
    while (word.size() < (1 << 20)) word += piece;
    CHECK(steps(word) < 8);
    CHECK(steps(word) < 1.1 * steps(word.substr(0, 1 << 14)) + 0.1);
  }
}

TEST_CASE("a megabyte of one word takes steps in proportion: Unigram") {
  const Unigram model = parsed(kUnigram, read_unigram);
  for (const char c : {'a', 'x', ' '}) {
    UnigramScratch scratch;
    std::vector<ModelToken> out;
    model.tokenize(std::string(1 << 20, c), scratch, out);
    CHECK(scratch.steps <= (std::uint64_t{1} << 20) * 4);
  }
}

TEST_CASE("a megabyte of blanks is cut with a bounded number of steps") {
  const std::string gpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+)";
  const std::vector<std::string> parts = {
      R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true})",
      R"({"type":"Metaspace","replacement":"\u2581"})",
      R"({"type":"Split","pattern":{"Regex":")" + gpt2 + R"("},"behavior":"Isolated","invert":false})"};
  for (const std::string& pre : parts) {
    const Tokenizer tokenizer = load(bare("pre_tokenizer", pre));
    CHECK(!tokenizer.encode(std::string(1 << 20, ' ') + "a")
               .ids.empty());  // a Regex stops beyond 1,000 steps a byte
  }
}

TEST_CASE("what a regular expression might mean otherwise elsewhere is refused in a sentence") {
  const auto with = [](const std::string& expression) {
    return refusal(bare("pre_tokenizer", R"({"type":"Split","pattern":{"Regex":")" + expression +
                                             R"("},"behavior":"Isolated","invert":false})"));
  };
  const std::string start = "t.json: $.pre_tokenizer.pattern.Regex: expected a regular expression with ";
  CHECK(with("a(b|c)*+\\\\p{Lu}$") == "accepted");
  CHECK(with("(a") == start + "a ')' for each '(', found \"(a\".");
  CHECK(with("a)") == start + "no ')' without '(', found \"a)\".");
  CHECK(with("*a") == start + "something before each quantifier, found \"*a\".");
  CHECK(with("[a&&b]") == start + "no classes inside of classes, found \"[a&&b]\".");
  CHECK(with("(?:a|b*)*") == start + "no quantifier on what may match nothing, found \"(?:a|b*)*\".");
  CHECK(with("\\\\p{Han}") == start + "a general category like L or Lu in \\p{Han}, found \"\\p{Han}\".");
  CHECK(with("(a)\\\\1") == start + "no \\1, found \"(a)\\1\".");
  CHECK(with("(?i:ss)") ==
        start + "no letters that make a ligature without regard to case, found \"(?i:ss)\".");
  CHECK(with("(?<=a+)b") == start + "one width behind (?<= and (?<!, found \"(?<=a+)b\".");
}

TEST_CASE("an expression that backtracks without end is stopped with an error") {
  const Regex regex = Regex::compile("(a|aa)+$");
  std::vector<Span> matches;
  CHECK_THROWS_WITH(regex.find_all(std::string(200, 'a') + "b", matches),
                    Catch::Contains("steps on a text of 201 bytes"));
}

TEST_CASE("a Replace that may match nothing is refused") {
  CHECK(refusal(bare("normalizer", R"({"type":"Replace","pattern":{"Regex":"x*"},"content":"y"})")) ==
        "t.json: $.normalizer.pattern: expected a pattern that matches something, found an object.");
}

TEST_CASE("a charsmap that does not fit together is refused") {
  for (const std::string map : {"", "AAAA", "!", "/////w=="})
    CHECK_THAT(refusal(bare("normalizer", R"({"type":"Precompiled","precompiled_charsmap":")" + map + "\"}")),
               Catch::StartsWith("t.json: $.normalizer.precompiled_charsmap: expected"));
}

TEST_CASE("Metaspace refuses keys that contradict each other") {
  CHECK(
      refusal(bare(
          "pre_tokenizer",
          R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","add_prefix_space":false})")) ==
      "t.json: $.pre_tokenizer.prepend_scheme: expected \"never\", as add_prefix_space is false, found "
      "\"first\".");
  CHECK(refusal(bare("pre_tokenizer", R"({"type":"Metaspace","replacement":"ab"})")) ==
        "t.json: $.pre_tokenizer.replacement: expected one character, found \"ab\".");
}

TEST_CASE("windows overlap by the stride and hold every token") {
  const Tokenizer tokenizer = load(bare("version", "\"1.0\""));
  const std::string text = "acbacbacb";
  const Encoding right = tokenizer.encode(text, Truncation{4, {}, Truncation::Side::right, 1});
  CHECK(right.ids == Ids{1, 3, 2, 1});
  REQUIRE(right.overflow.size() == 2);
  CHECK(right.overflow[0].ids == Ids{1, 3, 2, 1});
  CHECK(right.overflow[1].ids == Ids{1, 3, 2});
  const Encoding left = tokenizer.encode(text, Truncation{4, {}, Truncation::Side::left, 1});
  CHECK(left.ids == Ids{2, 1, 3, 2});
  REQUIRE(left.overflow.size() == 2);
  CHECK(left.overflow[1].ids == Ids{1, 3, 2});
}

TEST_CASE(
    "two long texts are cut without the windows of one with each of the other's, where nobody asks for "
    "them") {
  const Tokenizer tokenizer = load(bare("version", "\"1.0\""));
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "acb";
  for (const auto side : {Truncation::Side::right, Truncation::Side::left}) {
    Truncation truncation{4, {}, side};
    truncation.overflow = false;
    const Encoding pair = tokenizer.encode_pair(text, text, truncation);
    CHECK(pair.ids == (side == Truncation::Side::right ? Ids{1, 3, 1, 3} : Ids{3, 2, 3, 2}));
    CHECK(pair.is_cut);
    CHECK(pair.overflow.empty());
  }
  CHECK_FALSE(tokenizer.encode_pair("ab", "cb", 4).is_cut);
  CHECK(tokenizer.encode("acbacb", 4).is_cut);
}

TEST_CASE("truncation that cannot be done is refused") {
  const Tokenizer tokenizer = load(bare("version", "\"1.0\""));
  using Strategy = Truncation::Strategy;
  CHECK_THROWS_WITH(tokenizer.encode("acb", Truncation{2, Strategy::only_second}),
                    Catch::Contains("expected a pair"));
  CHECK_THROWS_WITH(tokenizer.encode("acb", Truncation{2, {}, {}, 2}), Catch::Contains("A stride of 2"));
  CHECK_THROWS_WITH(tokenizer.encode_pair("a", "cbcb", Truncation{2, Strategy::only_first}),
                    Catch::Contains("The first text has 1 tokens"));
  CHECK(tokenizer.encode_pair("acb", "b", Truncation{2, Strategy::only_first}).ids == Ids{1, 2});
}

TEST_CASE("padding makes encodings equally long on either side") {
  const Tokenizer tokenizer = load(bare("version", "\"1.0\""));
  std::vector<Encoding> encodings = {tokenizer.encode("acb"), tokenizer.encode("a")};
  pad(encodings, Padding{0, 4, Truncation::Side::left, 9, 1});
  CHECK(encodings[0].ids == Ids{9, 1, 3, 2});
  CHECK(encodings[1].ids == Ids{9, 9, 9, 1});
  CHECK(encodings[1].type_ids == Ids{1, 1, 1, 0});
  CHECK(encodings[1].special == std::vector<std::uint8_t>{1, 1, 1, 0});
}

TEST_CASE("decoders write the text that tokens stand for") {
  const auto decoded = [](const std::string& decoder, const Ids& from) {
    return load(bare("decoder", decoder)).decode(from);
  };
  CHECK(decoded("null", {5, 99, 1}) == "abc a");
  CHECK(decoded(R"({"type":"Metaspace","replacement":"\u2581"})", {10, 9, 4}) == "a ab");
  CHECK(decoded(R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"b"},"content":"x"},
                   {"type":"Fuse"},{"type":"Strip","content":"a","start":1,"stop":0}]})",
                {1, 4}) == "ax");
}

TEST_CASE("a model gives the same tokens from its cache, in any number of threads") {
  const Tokenizer tokenizer = load(bare("pre_tokenizer", R"({"type":"WhitespaceSplit"})"));
  std::string text;
  for (int i = 0; i < 3000; ++i) text += std::string(1 + i % 11, 'a') + (i % 3 == 0 ? "b " : "c ");
  const Ids expected = tokenizer.encode(text).ids;
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& one : found) threads.emplace_back([&] { one = tokenizer.encode(text).ids; });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& one : found) CHECK(one == expected);
}

TEST_CASE("offsets leave out blanks where the post-processor trims them") {
  const std::string parts =
      R"({"type":"RobertaProcessing","sep":["</s>",13],"cls":["<s>",12],"trim_offsets":true,
                               "add_prefix_space":true})";
  const Tokenizer tokenizer = load(bare("post_processor", parts));
  const Encoding e = tokenizer.encode("a b");
  CHECK(e.ids == Ids{12, 1, 8, 2, 13});
  CHECK(e.offsets[2] == std::pair(2U, 2U));
  CHECK(tokenizer.encode_pair("a", "b").ids == Ids{12, 1, 13, 13, 2, 13});
  CHECK(tokenizer.encode_pair("a", "b").type_ids == Ids{0, 0, 0, 0, 0, 0});
  CHECK(
      refusal(bare("post_processor", R"({"type":"Sequence","processors":[)" + parts + "," + parts + "]}")) ==
      "t.json: $.post_processor: expected one processor that adds tokens, found two.");
}

}  // namespace
}  // namespace nybble::tokenizer
