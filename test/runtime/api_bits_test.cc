// Integer weights: the bits of a row depend on its text and the model alone.
#ifdef __clang__
using _Bool = bool;  // glibc's header below takes it for granted in C++, where clang has none
#endif
#include <sys/platform/x86.h>
#include <xmmintrin.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::test;

namespace {

/// The formats of integers, and the product that each must be bound to.
struct Format {
  Weights weights;
  std::string product;
  std::uint64_t tiny_bert, micro_bert;  ///< what the golden texts hash to
};
const std::vector<Format> kFormats = {
    {Weights::int8, "gemm_u8s8_", 0x7edd081a7018f66fu, 0x983e1b3b1bed7eacu},
    {Weights::int7, "gemm_u8s7_", 0x1dc8597e7a093b75u, 0xad5c1f30253c9f07u},
    {Weights::int6, "gemm_u8s6_", 0x2bfaa8d72e12f3f9u, 0x1403fd6b6ecde6ccu},
    {Weights::int5, "gemm_u8s5_", 0xc30806a57937a0b7u, 0xbd164364a1cf4f09u},
    {Weights::int4, "gemm_u8s4_", 0xb7f7023b974e19e1u, 0x44f05fa381aa2290u},
};
const std::vector<Format> kNarrow(kFormats.begin() + 1, kFormats.end());

Model load(const Format& format, const std::string& folder, const std::string& isa, int threads,
           std::size_t batch_tokens = 4096) {
  LoadOptions options;
  options.weights = format.weights;
  options.isa = isa;
  options.threads = threads;
  options.batch_tokens = batch_tokens;
  const Model model = load_golden(folder, options);
  // What ran is asserted, not assumed.
  REQUIRE(model.info().isa == isa);
  REQUIRE(model.info().threads == threads);
  REQUIRE(model.info().weights == format.weights);
  REQUIRE(model.info().bits.starts_with("exact"));
  REQUIRE(model.explain().find(format.product + isa) != std::string::npos);
  REQUIRE(model.explain().find("attention_s8_" + isa) != std::string::npos);
  return model;
}

Model load_int8(const std::string& folder, const std::string& isa, int threads,
                std::size_t batch_tokens = 4096) {
  return load(kFormats.front(), folder, isa, threads, batch_tokens);
}

const std::vector<std::string> kFolders = {"tiny-bert", "micro-bert"};

/// FNV-1a, 64 bits, over the bytes of the rows.
std::uint64_t hash_of(const std::vector<float>& rows) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto* bytes = reinterpret_cast<const unsigned char*>(rows.data());
  for (std::size_t i = 0; i < rows.size() * sizeof(float); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

class ControlRegister {
 public:
  explicit ControlRegister(unsigned value) : saved_(_mm_getcsr()) { _mm_setcsr(value); }
  ~ControlRegister() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
};

}  // namespace

TEST_CASE(
    "golden hash: rows of integer weights hash to the same number on every instruction set and thread count",
    "[hash]") {
  if (std::getenv("GLIBC_TUNABLES") != nullptr) {
    // The test that sets it would else prove nothing.
    REQUIRE_FALSE(CPU_FEATURE_ACTIVE(FMA));
    REQUIRE_FALSE(CPU_FEATURE_ACTIVE(AVX2));
  }
  // Another value is a change of docs/numerics.md, and a new version of it.
  for (const Format& format : kFormats) {
    for (const std::string& folder : kFolders) {
      const std::uint64_t expected = folder == "tiny-bert" ? format.tiny_bert : format.micro_bert;
      const std::vector<std::string> texts = read_lines(golden_folder() / folder / "golden/texts.txt");
      for (const std::string& isa : runnable_sets()) {
        for (const int threads : {1, 2, 3}) {
          if (threads == 1 && format.weights != Weights::int8) continue;  // scalar takes its time
          INFO(weights_name(format.weights) << ", " << folder << ", " << isa << ", threads " << threads);
          REQUIRE(hash_of(embed(load(format, folder, isa, threads), texts)) == expected);
        }
      }
    }
  }
}

TEST_CASE("with weights of fewer bits, too, a text alone has the bits of any batch and thread count") {
  for (const Format& format : kNarrow) {
    const std::vector<std::string> texts = texts_of("tiny-bert");
    const std::vector<float> expected = embed_alone(load(format, "tiny-bert", "scalar", 1), texts);
    for (const std::string& isa : runnable_sets()) {
      for (const std::size_t batch_tokens : {1u, 64u}) {
        INFO(weights_name(format.weights) << ", " << isa << ", batch_tokens " << batch_tokens);
        REQUIRE(same_bits(embed(load(format, "tiny-bert", isa, 2, batch_tokens), texts), expected));
      }
      REQUIRE(same_bits(embed_alone(load(format, "tiny-bert", isa, 2), texts), expected));
    }
  }
}

TEST_CASE("fewer bits of weights are other bits of rows, and take less memory where two codes share a byte") {
  const std::vector<std::string> texts = texts_of("tiny-bert");
  std::set<std::uint64_t> hashes;
  std::vector<std::size_t> bytes;
  for (const Format& format : kFormats) {
    const Model model = load(format, "tiny-bert", runnable_sets().front(), 1);
    hashes.insert(hash_of(embed(model, texts)));
    bytes.push_back(model.info().linear_bytes);
  }
  REQUIRE(hashes.size() == kFormats.size());
  REQUIRE(bytes[3] == bytes[0]);
  REQUIRE(bytes[4] < bytes[0] * 7 / 10);
}

TEST_CASE("a text alone has the bits of any batch, thread count and instruction set") {
  for (const std::string& folder : kFolders) {
    const std::vector<std::string> texts = texts_of(folder);
    const std::vector<float> expected = embed_alone(load_int8(folder, "scalar", 1), texts);
    for (const std::string& isa : runnable_sets()) {
      for (const int threads : {1, 2, 3}) {
        for (const std::size_t batch_tokens : {1u, 7u, 64u, 4096u}) {
          INFO(folder << ", " << isa << ", threads " << threads << ", batch_tokens " << batch_tokens);
          REQUIRE(same_bits(embed(load_int8(folder, isa, threads, batch_tokens), texts), expected));
        }
      }
      REQUIRE(same_bits(embed_alone(load_int8(folder, isa, 2), texts), expected));
    }
  }
}

TEST_CASE("what a cls pool does not read changes no bit of its rows") {
  for (const std::string& folder : kFolders) {
    const std::vector<std::string> texts = texts_of(folder);
    for (const int threads : {1, 2}) {
      LoadOptions options;
      options.threads = threads;
      options.pooling = {Pooling::cls};
      const Model pruned = load_golden(folder, options);
      options.disabled_passes = {"prune_unread_rows"};
      const Model whole = load_golden(folder, options);
      REQUIRE(pruned.explain() != whole.explain());
      REQUIRE(same_bits(embed(pruned, texts), embed(whole, texts)));
      REQUIRE(same_bits(embed_alone(pruned, texts), embed(whole, texts)));
    }
  }
}

TEST_CASE("equal texts of a call are computed once and have the bits that they have alone") {
  for (const std::string& folder : kFolders) {
    std::vector<std::string> texts = texts_of(folder);
    for (const std::size_t i : {0, 3, 1, 3, 0, 7, 7, 0}) texts.push_back(texts[i]);
    for (const std::size_t batch_tokens : {1u, 40u, 4096u}) {
      const Model model = load_int8(folder, runnable_sets().front(), 2, batch_tokens);
      std::set<std::vector<std::int32_t>> seen;
      std::size_t tokens = 0, equal = 0;
      for (const std::string& text : texts) {
        const std::vector<std::int32_t> ids = model.tokenize(text).ids;
        if (seen.insert(ids).second) {
          tokens += ids.size();
        } else {
          ++equal;
        }
      }
      std::vector<float> rows(texts.size() * model.info().dimensions), streamed;
      const EncodeReport report = model.encode(views(texts), rows);
      REQUIRE(equal >= 8);
      REQUIRE(report.folded == equal);
      REQUIRE(report.texts == texts.size());
      REQUIRE(report.tokens == tokens);
      REQUIRE(same_bits(rows, embed_alone(model, texts)));
      const auto next = [&, i = std::size_t{0}](std::string& text) mutable {
        return i < texts.size() && (text = texts[i++], true);
      };
      const auto row = [&](std::size_t, std::span<const float> one) {
        streamed.insert(streamed.end(), one.begin(), one.end());
      };
      // A stream keeps no rows that it gave away: it folds within a batch.
      REQUIRE(model.encode_stream(next, row).folded <= equal);
      REQUIRE(same_bits(streamed, rows));
    }
  }
}

TEST_CASE("equal ids of other types are other sequences, and equal ones have their own token rows") {
  const std::vector<std::int32_t> ids = {2, 5, 3, 2, 5, 3, 2, 5, 3, 2, 7, 3, 2, 5, 3},
                                  types = {0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1},
                                  borders = {0, 3, 6, 9, 12, 15};
  for (const Output output : {Output::embedding, Output::tokens}) {
    LoadOptions options;
    options.output = output;
    const Model model = load_golden("tiny-bert", options);
    const std::size_t row = (output == Output::tokens ? 3 : 1) * model.info().dimensions;
    std::vector<float> rows(5 * row), alone(row);
    const EncodeReport report = model.encode_ids(ids, borders, rows, types);
    REQUIRE(report.folded == 2);
    REQUIRE(report.tokens == 9);
    for (std::size_t i = 0; i < 5; ++i) {
      const std::vector<std::int32_t> border = {0, 3};
      REQUIRE(
          model
              .encode_ids(std::span(ids).subspan(3 * i, 3), border, alone, std::span(types).subspan(3 * i, 3))
              .folded == 0);
      REQUIRE(std::memcmp(alone.data(), rows.data() + i * row, row * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("a text has the same bits in any order and beside any others") {
  const unsigned seed = 424242;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const std::string& folder : kFolders) {
    const std::vector<std::string> texts = texts_of(folder);
    const std::size_t hidden = load_golden(folder).info().dimensions;
    const std::vector<float> expected = embed_alone(load_int8(folder, runnable_sets().front(), 1), texts);
    const Model model = load_int8(folder, runnable_sets().front(), 2, 100);
    for (int round = 0; round < 20; ++round) {
      std::vector<std::size_t> order(1 + random() % 40);
      for (std::size_t& index : order) index = random() % texts.size();
      std::vector<std::string> chosen;
      std::vector<float> rows;
      for (const std::size_t index : order) {
        chosen.push_back(texts[index]);
        rows.insert(rows.end(), expected.begin() + static_cast<std::ptrdiff_t>(index * hidden),
                    expected.begin() + static_cast<std::ptrdiff_t>((index + 1) * hidden));
      }
      INFO(folder << ", round " << round);
      REQUIRE(same_bits(embed(model, chosen), rows));
    }
  }
}

TEST_CASE("texts, ids and streams give the same bits") {
  for (const std::string& folder : kFolders) {
    const std::vector<std::string> texts = texts_of(folder);
    const Model model = load_int8(folder, runnable_sets().front(), 2, 100);
    const std::vector<float> expected = embed(model, texts);

    Sequences ids;
    for (const std::string& text : texts) {
      const Tokens tokens = model.tokenize(text);
      ids.ids.insert(ids.ids.end(), tokens.ids.begin(), tokens.ids.end());
      ids.cu_seqlens.push_back(static_cast<std::int32_t>(ids.ids.size()));
    }
    std::vector<float> of_ids(expected.size());
    model.encode_ids(ids.ids, ids.cu_seqlens, of_ids);
    REQUIRE(same_bits(of_ids, expected));

    std::vector<float> streamed;
    std::size_t next = 0, received = 0;
    const EncodeReport report = model.encode_stream(
        [&](std::string& text) { return next < texts.size() && (text = texts[next++], true); },
        [&](std::size_t index, std::span<const float> row) {
          REQUIRE(index == received++);
          REQUIRE(row.size() == model.info().dimensions);
          streamed.insert(streamed.end(), row.begin(), row.end());
        });
    REQUIRE(report.texts == texts.size());
    REQUIRE(same_bits(streamed, expected));
  }
}

TEST_CASE("pairs have the same bits alone, together and as ids") {
  const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{"null device", "a data sink"},
                                                                            {"", ""},
                                                                            {"the Cabal", ""},
                                                                            {"", "bad thing"},
                                                                            {"most of its", "lifetime"}};
  const Model model = load_int8("tiny-bert", runnable_sets().front(), 2);
  const std::size_t hidden = model.info().dimensions;
  std::vector<float> together(pairs.size() * hidden), alone(together.size()), of_ids(together.size());
  model.encode_pairs(pairs, together);
  const Model other = load_int8("tiny-bert", "scalar", 1, 1);
  const Tokenizer tokenizer = Tokenizer::load((golden_folder() / "tiny-bert").string());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    other.encode_pairs(std::span(pairs).subspan(i, 1), std::span(alone).subspan(i * hidden, hidden));
    const Tokens tokens = tokenizer.tokenize_pair(pairs[i].first, pairs[i].second);
    const std::vector<std::int32_t> borders = {0, static_cast<std::int32_t>(tokens.ids.size())};
    model.encode_ids(tokens.ids, borders, std::span(of_ids).subspan(i * hidden, hidden), tokens.type_ids);
  }
  REQUIRE(same_bits(alone, together));
  REQUIRE(same_bits(of_ids, together));
}

TEST_CASE("rows of tokens have the same bits alone and in any batch") {
  const Sequences inputs = read_sequences(golden_folder() / "tiny-bert/golden/ids.jsonl");
  std::vector<float> expected;
  for (const std::string& isa : runnable_sets()) {
    for (const std::size_t batch_tokens : {1u, 4096u}) {
      LoadOptions options;
      options.isa = isa;
      options.output = Output::tokens;
      options.threads = batch_tokens == 1 ? 1 : 3;
      options.batch_tokens = batch_tokens;
      const Model model = load_golden("tiny-bert", options);
      std::vector<float> rows(inputs.ids.size() * model.info().dimensions);
      model.encode_ids(inputs.ids, inputs.cu_seqlens, rows, inputs.types);
      if (expected.empty()) expected = rows;
      INFO(isa << ", batch_tokens " << batch_tokens);
      REQUIRE(same_bits(rows, expected));
    }
  }
}

TEST_CASE("a host's MXCSR changes no bit, and is as it was after the call") {
  const std::vector<std::string> texts = texts_of("tiny-bert");
  for (const std::string& isa : runnable_sets()) {
    for (const int threads : {1, 3}) {
      const Model model = load_int8("tiny-bert", isa, threads);
      const std::vector<float> expected = embed(model, texts);
      // Flush to zero and denormals are zero; and with them rounding towards zero.
      for (const unsigned value : {0x9FC0u, 0xFFC0u}) {
        std::vector<float> rows(expected.size());
        unsigned after = 0;
        {
          const ControlRegister host(value);
          model.encode(views(texts), rows);
          after = _mm_getcsr();
        }
        INFO(isa << ", threads " << threads << ", MXCSR " << value);
        REQUIRE(same_bits(rows, expected));
        REQUIRE((after & 0xFFC0u) == value);
      }
    }
  }
}

TEST_CASE("a model loaded under a host's MXCSR is the same model") {
  const std::vector<std::string> texts = texts_of("micro-bert");
  for (const std::string& isa : runnable_sets()) {
    for (const int threads : {1, 2}) {
      const std::vector<float> expected = embed(load_int8("micro-bert", isa, threads), texts);
      std::vector<float> rows;
      {
        const ControlRegister host(0xFFC0u);
        LoadOptions options;
        options.isa = isa;
        options.threads = threads;
        rows = embed(load_golden("micro-bert", options), texts);
      }
      INFO(isa << ", threads " << threads);
      REQUIRE(same_bits(rows, expected));
    }
  }
}

TEST_CASE("four threads that call one model at once get the same bits") {
  const std::vector<std::string> texts = texts_of("tiny-bert");
  for (const int threads : {1, 2}) {
    LoadOptions options;
    options.threads = threads;
    options.concurrent_calls = threads == 1 ? 4 : 2;
    options.batch_tokens = 64;
    const Model model = load_golden("tiny-bert", options);
    const std::vector<float> expected = embed(model, texts);
    std::vector<int> wrong(4);
    std::vector<std::thread> callers;
    for (int& mine : wrong) {
      callers.emplace_back([&] {
        const Model copy = model;
        for (int round = 0; round < 10; ++round) mine += !same_bits(embed(copy, texts), expected);
      });
    }
    for (std::thread& caller : callers) caller.join();
    REQUIRE(wrong == std::vector<int>(4));
  }
}

TEST_CASE("rows of integer weights are near the FP32 rows") {
  const auto [weights, least] = GENERATE(table<Weights, double>({{Weights::int8, 0.99},
                                                                 {Weights::int7, 0.99},
                                                                 {Weights::int6, 0.98},
                                                                 {Weights::int5, 0.95},
                                                                 {Weights::int4, 0.9}}));
  for (const std::string& folder : kFolders) {
    LoadOptions f32, options;
    f32.weights = Weights::f32;
    options.weights = weights;
    const std::vector<std::string> texts = texts_of(folder);
    const Model model = load_golden(folder, options);
    const std::vector<float> a = embed(model, texts), b = embed(load_golden(folder, f32), texts);
    const std::size_t hidden = model.info().dimensions;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto row = [&](const std::vector<float>& rows) {
        return rows.begin() + static_cast<std::ptrdiff_t>(i * hidden);
      };
      INFO(weights_name(weights) << ", " << folder << ", text " << i);
      REQUIRE(std::inner_product(row(a), row(a) + static_cast<std::ptrdiff_t>(hidden), row(b), 0.0) >= least);
    }
  }
}
