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

std::string error_of(const MaskFiller& filler, std::string_view text) {
  try {
    filler.fill({&text, 1});
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

TEST_CASE("a text needs a mask, and room for all of it") {
  const MaskFiller filler = load("bert");
  CHECK(filler.mask_token() == "[MASK]");
  CHECK(load("roberta").mask_token() == "<mask>");
  CHECK(error_of(filler, "nothing here") == "text 0: expected a mask, [MASK], found none");
  std::string text = "[MASK]";
  for (int i = 0; i < 100; ++i) text += " a";
  CHECK(error_of(filler, text) == "text 0: expected at most 76 tokens, found more");
}
