#include "tokenizer/trie.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "tokenizer/vocabulary.h"

namespace nybble::tokenizer {
namespace {

TEST_CASE("a trie finds its keys, no other, and no prefix of them") {
  std::mt19937 random(11);
  for (const unsigned letters : {1U, 2U, 5U, 256U}) {
    std::map<std::string, std::int32_t> keys;
    for (int i = 0; i < 3000; ++i) {
      std::string key(random() % 9, '\0');
      for (char& c : key) c = static_cast<char>(random() % letters);
      keys.emplace(key, i);
    }
    std::vector<Trie::Entry> entries;
    for (const auto& [key, value] : keys) entries.push_back({key, value});
    const auto trie = Trie::build(entries);
    REQUIRE(trie);
    INFO("seed 11, letters " << letters);
    for (const auto& [key, value] : keys) REQUIRE(trie->find(key) == value);
    for (int i = 0; i < 20000; ++i) {
      std::string key(random() % 10, '\0');
      for (char& c : key) c = static_cast<char>(random() % (letters + 1));
      const auto found = keys.find(key);
      REQUIRE(trie->find(key) == (found == keys.end() ? -1 : found->second));
    }
  }
}

TEST_CASE("an empty trie holds nothing, not even the empty key") {
  const Trie trie;
  CHECK(trie.find("") == -1);
  CHECK(trie.find(std::string(1, '\0')) == -1);
  for (unsigned byte = 0; byte < 256; ++byte) {
    Trie::State state = Trie::kRoot;
    CHECK_FALSE(trie.step(state, static_cast<std::uint8_t>(byte)));
  }
}

TEST_CASE("a vocabulary keeps the last id of a token and the last token of an id") {
  Vocabulary vocabulary;
  vocabulary.add("b", 5);
  vocabulary.add("a", 5);
  vocabulary.add("c", 1);
  vocabulary.add("c", 2147483647);
  REQUIRE(vocabulary.freeze());
  CHECK(vocabulary.size() == 3);
  CHECK(vocabulary.id("a") == 5);
  CHECK(vocabulary.id("c") == 2147483647);
  CHECK(vocabulary.token(5) == "b");
  CHECK(vocabulary.token(2147483647) == "c");
  CHECK(vocabulary.token(1).empty());
  CHECK(vocabulary.token(-1).empty());
  CHECK(vocabulary.largest_id() == 2147483647);
}

}  // namespace
}  // namespace nybble::tokenizer
