// Masks against what transformers' fill-mask pipeline answers, and every family's heads against its logits.
#include <algorithm>
#include <catch2/catch.hpp>

#include "task_goldens.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr float kClose = 1e-4F;

MaskFiller load(const std::string& folder, Weights weights = Weights::f32) {
  return MaskFiller::load(task_folder(folder).string(), task_options(weights));
}

std::string error_of(const MaskFiller& filler, std::string_view text, const EncodeOptions& options = {}) {
  try {
    filler.fill({&text, 1}, 5, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("masks are filled as the fill-mask pipeline fills them, one or several in a text") {
  for (const std::string folder : {"bert", "roberta"}) {
    const MaskFiller filler = load(folder);
    for (const auto& row : read_json_lines(task_folder(folder) / "golden/fill_mask.jsonl")) {
      const std::string text = row["text"];
      INFO(folder << ": " << text);
      const std::string_view view = text;
      const auto masks = filler.fill({&view, 1}, 4)[0];
      REQUIRE(masks.size() == row["masks"].size());
      for (std::size_t i = 0; i < masks.size(); ++i) {
        REQUIRE(masks[i].size() == 4);
        for (std::size_t k = 0; k < 4; ++k) {
          const auto& expected = row["masks"][i][k];
          INFO("mask " << i << ": " << expected.dump());
          CHECK(masks[i][k].id == expected["token"].get<int>());
          CHECK(masks[i][k].token == expected["token_str"].get<std::string>());
          CHECK(masks[i][k].sequence == expected["sequence"].get<std::string>());
          CHECK(std::fabs(masks[i][k].score - expected["score"].get<float>()) <= kClose);
        }
      }
    }
  }
}

TEST_CASE("in 8 bits the scores of tokens are the same bits alone and beside other texts") {
  const MaskFiller filler = load("bert", Weights::int8);
  const std::vector<std::string_view> texts = {"The [MASK] dumped core.", "[MASK] [MASK] is it", "a [MASK]"};
  const auto together = filler.fill(texts, 3);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = filler.fill({&texts[i], 1}, 3)[0];
    REQUIRE(alone.size() == together[i].size());
    for (std::size_t k = 0; k < alone.size(); ++k) {
      for (std::size_t n = 0; n < 3; ++n) {
        CHECK(alone[k][n].id == together[i][k][n].id);
        CHECK(alone[k][n].score == together[i][k][n].score);
      }
    }
  }
}

TEST_CASE("a text needs a mask") {
  const MaskFiller filler = load("bert");
  CHECK(filler.mask_token() == "[MASK]");
  CHECK(load("roberta").mask_token() == "<mask>");
  CHECK(error_of(filler, "nothing here") == "text 0: expected a mask, [MASK], found none");
}

TEST_CASE("a text that is too long is cut, but never a mask of it") {
  const MaskFiller filler = load("bert", Weights::int8);
  std::string text = "[MASK]", kept = text;
  for (int i = 0; i < 100; ++i) text += " a";
  for (int i = 0; i < 73; ++i) kept += " a";
  const std::vector<std::string_view> texts = {text, kept};
  EncodeReport report;
  const auto found = filler.fill(texts, 3, {}, &report);
  CHECK(report.texts == 2);
  CHECK(report.cut == 1);
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(found[0][0][k].id == found[1][0][k].id);
    CHECK(found[0][0][k].score == found[1][0][k].score);
    CHECK(found[0][0][k].sequence == found[1][0][k].sequence);
  }
  EncodeOptions options;
  options.truncate = Truncate::error;
  CHECK(error_of(filler, text, options) == "text 0: expected at most 76 tokens, found more");
  options.truncate = Truncate::left;
  CHECK(error_of(filler, text, options) ==
        "text 0: expected its masks within the 76 tokens that it is cut to, found 0 of 1");
  CHECK(error_of(filler, text + " [MASK]", options) ==
        "text 0: expected its masks within the 76 tokens that it is cut to, found 1 of 2");
  CHECK(error_of(filler, text.substr(7) + " [MASK]", options).empty());
}

TEST_CASE("masks of equal texts are computed once") {
  const MaskFiller filler = load("bert", Weights::int8);
  const std::vector<std::string_view> texts = {"a [MASK]", "The [MASK] [MASK].", "a [MASK]", "a  [MASK]"};
  EncodeReport report;
  const auto found = filler.fill(texts, 3, {}, &report);
  CHECK(report.folded == 2);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = filler.fill({&texts[i], 1}, 3)[0];
    REQUIRE(alone.size() == found[i].size());
    for (std::size_t k = 0; k < alone.size(); ++k) {
      for (std::size_t n = 0; n < 3; ++n) {
        CHECK(alone[k][n].score == found[i][k][n].score);
        CHECK(alone[k][n].sequence == found[i][k][n].sequence);
      }
    }
  }
}
