// The default model against sentence-transformers on test/golden/jargon. Exits with 77 where it is not on
// this machine.
#define CATCH_CONFIG_RUNNER
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
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

/// Cosines of both sets of texts with the reference, as a format of weights has them.
struct Cosines {
  double mean = 0;
  double worst = 1, worst_without_word = 1;  ///< of texts with a known word, and of the others
  std::size_t texts = 0, without_word = 0;
};

Cosines golden_cosines(Weights weights) {
  Cosines result;
  for (const Golden& golden : {kShort, kLong}) {
    const std::vector<std::string> texts = read_lines(kJargon / golden.texts);
    const Model model = load(weights, {}, golden.max_tokens);
    const std::vector<double> found = cosines(embed(model, texts), read_npy(kJargon / golden.embeddings));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO("text " << i << ": " << texts[i]);
      REQUIRE(std::isfinite(found[i]));
      const bool has_word = has_known_word(model, texts[i]);
      double& worst = has_word ? result.worst : result.worst_without_word;
      worst = std::min(worst, found[i]);
      result.mean += found[i];
      result.without_word += !has_word;
    }
    result.texts += texts.size();
  }
  result.mean /= static_cast<double>(result.texts);
  std::printf(
      "%s against FP32, %zu texts: mean cosine %.5f, worst %.5f; worst of %zu without a known word %.5f\n",
      std::string(weights_name(weights)).c_str(), result.texts, result.mean, result.worst,
      result.without_word, result.worst_without_word);
  return result;
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
  const Cosines found = golden_cosines(Weights::int8);
  REQUIRE(found.texts == kShort.count + kLong.count);
  REQUIRE(found.mean >= 0.9988);
  REQUIRE(found.worst >= 0.996);
  REQUIRE(found.without_word >= 2);
  REQUIRE(found.without_word <= 8);
  // Empty, blank, only [UNK] or only punctuation: measured 0.9911 at worst, for "" and "?".
  REQUIRE(found.worst_without_word >= 0.99);
}

TEST_CASE("weights of fewer bits are as close to the reference as docs/accuracy.md says") {
  const auto [weights, mean, worst] =
      GENERATE(table<Weights, double, double>({{Weights::int7, 0.9971, 0.987},
                                               {Weights::int6, 0.992, 0.96},
                                               {Weights::int5, 0.9765, 0.914},
                                               {Weights::int4, 0.9605, 0.875}}));
  const Cosines found = golden_cosines(weights);
  REQUIRE(found.mean >= mean);
  REQUIRE(std::min(found.worst, found.worst_without_word) >= worst);
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
