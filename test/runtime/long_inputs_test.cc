// Sequences of 8,192 tokens, as long as the configs of ModernBERT, GTE-new, NomicBERT and Jina-BERT-v2 say.
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../graph/rotary_folders.h"
#include "embedding.h"
#include "random_folder.h"
#include "resident_memory.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr std::int32_t kLongest = 8192;
// The scores of one head for all pairs of tokens in floats, which must never be there.
constexpr std::size_t kAllScores = std::size_t{kLongest} * kLongest * sizeof(float);

/// Two layers of two heads of 32; of a ModernBERT's layers one sees all tokens and one a window.
RandomFolder long_folder(const std::string& family) {
  nlohmann::json config = family == "modernbert"   ? graph::test::modernbert_config()
                          : family == "nomic_bert" ? graph::test::nomic_config_of_5()
                          : family == "new"        ? graph::test::gte_config()
                                                   : graph::test::jina_config();
  config.update({{"hidden_size", 64},
                 {"head_dim", 32},
                 {"num_attention_heads", 2},
                 {"num_hidden_layers", 2},
                 {"intermediate_size", 96},
                 {"vocab_size", 1003},
                 {"max_position_embeddings", kLongest},
                 {"global_attn_every_n_layers", 2},
                 {"local_attention", 128}});
  return {config, graph::test::rotary_tensors(config)};
}

Sequences sequences_of(const std::vector<std::int32_t>& lengths) {
  std::mt19937 random(3);
  Sequences all;
  all.cu_seqlens = {0};
  for (const std::int32_t length : lengths) {
    for (std::int32_t i = 0; i < length; ++i) all.ids.push_back(static_cast<std::int32_t>(random() % 1003));
    all.cu_seqlens.push_back(static_cast<std::int32_t>(all.ids.size()));
  }
  all.types.assign(all.ids.size(), 0);
  return all;
}

std::vector<float> token_rows(const Model& model, const Sequences& inputs) {
  std::vector<float> rows(inputs.ids.size() * model.info().hidden, NAN);
  model.encode_ids(inputs.ids, inputs.cu_seqlens, rows, inputs.types);
  return rows;
}

Model load(const RandomFolder& folder, Weights weights, int threads) {
  LoadOptions options;
  options.weights = weights;
  options.output = Output::tokens;
  options.threads = threads;
  return Model::load(folder.path().string(), options);
}

}  // namespace

TEST_CASE("8,192 tokens have the same bits alone and among others, with one thread and with two") {
  const std::string family = GENERATE("modernbert", "nomic_bert", "new", "bert");
  INFO(family);
  const RandomFolder folder = long_folder(family);
  const Sequences alone = sequences_of({kLongest});
  Sequences among = sequences_of({kLongest, 5, 300});
  const Model model = load(folder, Weights::int8, 2);
  const std::vector<float> rows = token_rows(model, alone), more = token_rows(model, among);
  REQUIRE(same_bits(rows, {more.begin(), more.begin() + static_cast<std::ptrdiff_t>(rows.size())}));
  REQUIRE(same_bits(rows, token_rows(load(folder, Weights::int8, 1), alone)));
}

TEST_CASE("8,192 tokens run in memory that holds no table of all their scores", "[memory]") {
  const std::size_t before = memory_status("VmHWM");
  for (const std::string family : {"modernbert", "nomic_bert", "new", "bert"}) {
    const RandomFolder folder = long_folder(family);
    for (const Weights weights : {Weights::f32, Weights::int8}) {
      INFO(family << (weights == Weights::f32 ? ", f32" : ", int8"));
      const Model model = load(folder, weights, 2);
      const std::vector<float> rows = token_rows(model, sequences_of({kLongest}));
      REQUIRE(std::none_of(rows.begin(), rows.end(), [](float value) { return std::isnan(value); }));
      REQUIRE(memory_status("VmHWM") - before < kAllScores / 3);
    }
  }
}
