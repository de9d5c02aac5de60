#include "runtime/json_file.h"

#include <catch2/catch.hpp>
#include <limits>

#include "test/runtime/loader/temporary_folder.h"

using namespace nybble;
using namespace nybble::runtime;
using nybble::test::failure_of;

namespace {

std::string sentence(std::string_view text) {
  const auto failure = failure_of([&] { parse_json(text, "c.json"); });
  CHECK(failure.code == ErrorCode::unsupported_model);
  return failure.sentence;
}

JsonObject object(std::string_view text) { return {parse_json(text, "c.json"), "c.json"}; }

template <typename Function>
std::string sentence_of(Function&& function) {
  return failure_of(std::forward<Function>(function)).sentence;
}

}  // namespace

TEST_CASE("bad JSON is refused with line and column") {
  CHECK(sentence("").find("c.json: line 1, column 1: expected valid JSON, found ") == 0);
  CHECK(sentence("{\n  \"a\": 1,\n  b\n}").find("c.json: line 3, column 3: ") == 0);
  CHECK(sentence("{\"a\": 1").find("c.json: line 1, column 8: ") == 0);
  CHECK(sentence("{} x").find("c.json: line 1, column 4: ") == 0);
  CHECK(sentence("1e999") == "c.json: expected valid JSON, found number overflow parsing '1e999'");
  CHECK(sentence("{\"a\":\"\xFF\"}").find("c.json: line 1, column 7: ") == 0);
  CHECK(sentence("{\"a\": NaN}").find("c.json: line 1, column 7: ") == 0);
  CHECK(sentence(std::string_view("{}\0x", 4)) ==
        "c.json: line 1, column 3: expected valid JSON, found a zero byte");
  CHECK(sentence(std::string(100000, '"')).size() < 300);
}

TEST_CASE("a key given twice is refused at any depth, the same key in two objects is not") {
  CHECK(sentence(R"({"a":1,"b":{},"a":2})") ==
        "c.json: expected every key once in an object, found \"a\" twice");
  CHECK(sentence(R"([{"a":{"b":1,"b":1}}])") ==
        "c.json: expected every key once in an object, found \"b\" twice");
  CHECK(parse_json(R"([{"a":{"a":1}},{"a":2}])", "c.json").size() == 2);
}

TEST_CASE("JSON nested too deep is refused") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(64), "c.json").is_array());
  CHECK(sentence(nested(66)) == "c.json: expected JSON nested at most 64 deep, found more");
  CHECK(sentence(std::string_view("{}\0x", 4)) ==
        "c.json: line 1, column 3: expected valid JSON, found a zero byte");
  CHECK(sentence(std::string(1000000, '[')) == "c.json: expected JSON nested at most 64 deep, found more");
  CHECK(sentence(std::string_view("{}\0x", 4)) ==
        "c.json: line 1, column 3: expected valid JSON, found a zero byte");
  CHECK(sentence(std::string(1000000, '{')).find("c.json: line 1, column 2: ") == 0);
}

TEST_CASE("a value of the wrong type is refused with file, key, expected and found") {
  const auto config = object(R"({"s":"x","n":-1,"f":1.5,"o":{},"a":[1,2],"null":null,"t":true,"big":1e30})");
  CHECK(sentence_of([&] { config.count("s"); }) ==
        "c.json: \"s\": expected a whole number from 0 to 2^63 - 1, found \"x\"");
  CHECK(sentence_of([&] { config.count("n"); }) ==
        "c.json: \"n\": expected a whole number from 0 to 2^63 - 1, found -1");
  CHECK(sentence_of([&] { config.count("f"); }) ==
        "c.json: \"f\": expected a whole number from 0 to 2^63 - 1, found 1.5");
  CHECK(sentence_of([&] { config.count("big"); }) ==
        "c.json: \"big\": expected a whole number from 0 to 2^63 - 1, found 1e+30");
  CHECK(sentence_of([&] { config.count_saturated("n"); }) ==
        "c.json: \"n\": expected a whole number of at least 0, found -1");
  CHECK(sentence_of([&] { config.boolean_or("o", true); }) ==
        "c.json: \"o\": expected true or false, found an object");
  CHECK(sentence_of([&] { config.string("a"); }) == "c.json: \"a\": expected a string, found an array of 2");
  CHECK(sentence_of([&] { config.string_or("t", ""); }) == "c.json: \"t\": expected a string, found true");
  CHECK(sentence_of([&] { config.fail("none", "x"); }) == "c.json: \"none\": expected x, found nothing");
  CHECK(sentence_of([&] { object("[1]"); }) == "c.json: expected a JSON object, found an array of 1");
}

TEST_CASE("absent and null are the same, and give what the caller names") {
  const auto config = object(R"({"null":null,"n":3,"s":"x","b":true})");
  for (const char* key : {"null", "absent"}) {
    CHECK_FALSE(config.has(key));
    CHECK(config.boolean_or(key, true));
    CHECK(config.string_or(key, "y") == "y");
    CHECK_FALSE(config.count(key));
    CHECK_FALSE(config.count_saturated(key));
  }
  CHECK(config.count("n") == 3);
  CHECK(config.string("s") == "x");
  CHECK(config.boolean_or("b", false));
}

TEST_CASE("whole numbers of any size and notation saturate where the caller says so") {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  CHECK(object(R"({"n":12.0})").count("n") == 12);
  CHECK(object(R"({"n":9223372036854775807})").count("n") == kMax);
  CHECK(object(R"({"n":512})").count_saturated("n") == 512);
  for (const char* text :
       {R"({"n":1e30})", R"({"n":1000000000000000019884624838656})", R"({"n":9223372036854775808})",
        R"({"n":18446744073709551615})", R"({"n":9.3e18})"}) {
    INFO(text);
    CHECK(object(text).count_saturated("n") == kMax);
  }
}

TEST_CASE("a file above the limit is refused with both sizes") {
  const test::TemporaryFolder folder;
  const auto file = folder.write("c.json", "12345");
  CHECK(read_text_file(file, 5) == "12345");
  CHECK(sentence_of([&] { read_text_file(file, 4); }) ==
        file.string() + ": expected at most 4 bytes, found 5");
  CHECK(read_text_file(folder.write("empty", "")).empty());
}
