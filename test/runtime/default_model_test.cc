// The default model against sentence-transformers on test/golden/jargon. Exits with 77 where it is not on
// this machine.
#define CATCH_CONFIG_RUNNER
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr std::size_t kHidden = 384;

const std::filesystem::path kJargon = golden_folder() / "jargon";

std::filesystem::path default_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base = cache != nullptr && *cache != '\0' ? std::filesystem::path(cache)
                                     : home != nullptr ? std::filesystem::path(home) / ".cache"
                                                       : std::filesystem::path();
  return base / "nybble/all-MiniLM-L6-v2";
}

Model load(Weights weights, const std::string& isa = {}, std::size_t max_tokens = 0) {
  LoadOptions options;
  options.weights = weights;
  options.isa = isa;
  options.max_tokens = max_tokens;
  return Model::load(default_folder().string(), options);
}

double cosine(const float* a, const float* b) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < kHidden; ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return dot / std::sqrt(aa * bb);
}

/// The texts and, read to 512 tokens, those of 256 to 512.
struct Golden {
  const char *texts, *embeddings;
  std::size_t count, max_tokens;
};
constexpr Golden kShort = {"texts.txt", "embeddings.npy", 226, 0}, kLong = {"long.txt", "long.npy", 26, 512};

std::vector<double> cosines(const std::vector<float>& rows, const Matrix& expected) {
  std::vector<double> result;
  for (std::size_t i = 0; i < expected.rows; ++i)
    result.push_back(cosine(rows.data() + i * kHidden, expected.row(i)));
  return result;
}

/// Whether a text says something to the model: a known token with a letter or digit in it.
bool has_known_word(const Model& model, const std::string& text) {
  const Tokens tokens = model.tokenize(text);
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    const auto is_letter = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || static_cast<signed char>(c) < 0;
    };
    if (tokens.special[i] == 0 && tokens.tokens[i] != "[UNK]" &&
        std::any_of(tokens.tokens[i].begin(), tokens.tokens[i].end(), is_letter))
      return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the ids of the texts are those of the reference, cut to 256") {
  const Model model = load(Weights::int8);
  REQUIRE(model.info().max_tokens == 256);
  const std::vector<std::string> texts = read_lines(kJargon / "texts.txt"),
                                 lines = read_lines(kJargon / "ids.jsonl");
  REQUIRE(texts.size() == 226);
  REQUIRE(lines.size() == texts.size());
  std::size_t longer = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO("text " << i);
    REQUIRE(model.tokenize(texts[i]).ids == numbers_of(lines[i], "ids"));
    longer += numbers_of(lines[i] + "]", "ids").size() == 256 &&
              lines[i].find("\"tokens_of_whole_text\":256}") == std::string::npos;
  }
  std::vector<float> rows(texts.size() * kHidden);
  REQUIRE(model.encode(views(texts), rows).cut == longer);
}

TEST_CASE("FP32 has a cosine of 0.99999 with the reference, each text") {
  const Golden golden = GENERATE(kShort, kLong);
  const std::vector<std::string> texts = read_lines(kJargon / golden.texts);
  const Matrix expected = read_npy(kJargon / golden.embeddings);
  REQUIRE(expected.rows == texts.size());
  REQUIRE(expected.rows == golden.count);
  REQUIRE(expected.columns == kHidden);
  const std::vector<double> found =
      cosines(embed(load(Weights::f32, {}, golden.max_tokens), texts), expected);
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("text " << i << ": " << texts[i]);
    REQUIRE(found[i] >= 0.99999);
  }
}

TEST_CASE(
    "INT8 has a mean cosine of 0.9988 with the reference, and at worst 0.996 where a text has a word (0.99 "
    "where not)") {
  std::vector<std::string> texts = read_lines(kJargon / "texts.txt");
  const Model model = load(Weights::int8), long_model = load(Weights::int8, {}, kLong.max_tokens);
  std::vector<double> found = cosines(embed(model, texts), read_npy(kJargon / "embeddings.npy"));
  const std::vector<std::string> long_texts = read_lines(kJargon / kLong.texts);
  const std::vector<double> of_long =
      cosines(embed(long_model, long_texts), read_npy(kJargon / kLong.embeddings));
  texts.insert(texts.end(), long_texts.begin(), long_texts.end());
  found.insert(found.end(), of_long.begin(), of_long.end());
  REQUIRE(texts.size() == kShort.count + kLong.count);
  double sum = 0, worst = 1, worst_without_content = 1;
  std::size_t without_content = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO("text " << i << ": " << texts[i]);
    REQUIRE(std::isfinite(found[i]));
    sum += found[i];
    if (has_known_word(model, texts[i])) {
      worst = std::min(worst, found[i]);
    } else {
      // Empty, blank, only [UNK] or only punctuation: measured 0.9911 at worst, for "" and "?".
      worst_without_content = std::min(worst_without_content, found[i]);
      ++without_content;
    }
  }
  std::printf(
      "INT8 against FP32, %zu texts: mean cosine %.5f, worst %.5f; worst of %zu without a known word %.5f\n",
      texts.size(), sum / static_cast<double>(texts.size()), worst, without_content, worst_without_content);
  const double sum_of_long = std::accumulate(of_long.begin(), of_long.end(), 0.0);
  std::printf("... of them the %zu of 256 to 512 tokens: mean cosine %.5f, worst %.5f\n", of_long.size(),
              sum_of_long / static_cast<double>(of_long.size()),
              *std::min_element(of_long.begin(), of_long.end()));
  REQUIRE(sum / static_cast<double>(texts.size()) >= 0.9988);
  REQUIRE(worst >= 0.996);
  REQUIRE(without_content >= 2);
  REQUIRE(without_content <= 8);
  REQUIRE(worst_without_content >= 0.99);
}

TEST_CASE("INT8 has the same bits on every instruction set") {
  std::vector<std::string> texts;
  for (const std::string& text : read_lines(kJargon / "texts.txt")) {
    if (text.size() <= 60 && texts.size() < 10) texts.push_back(text);
  }
  REQUIRE(texts.size() == 10);
  const std::vector<float> expected = embed(load(Weights::int8, "scalar"), texts);
  for (const std::string& isa : runnable_sets()) {
    INFO(isa);
    const Model model = load(Weights::int8, isa);
    REQUIRE(model.info().isa == isa);
    REQUIRE(same_bits(embed(model, texts), expected));
    REQUIRE(same_bits(embed_alone(model, texts), expected));
  }
}

int main(int argc, char** argv) {
  if (!std::filesystem::exists(default_folder() / "model.safetensors")) {
    std::printf("skipped: no %s (tools/setup gets it)\n", default_folder().c_str());
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
