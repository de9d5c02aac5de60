// The folders of test/golden/embed: poolings, Dense modules, prompts, dimensions, SPLADE and ColBERT against
// sentence-transformers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "embedding.h"
#include "nybble/vectors.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr float kClose = 2e-5f;

Model load(const std::string& folder, LoadOptions options = {}) {
  options.threads = 2;
  return load_golden("embed/" + folder, options);
}

Model load_f32(const std::string& folder) {
  LoadOptions options;
  options.weights = Weights::f32;
  return load(folder, options);
}

std::vector<std::string> texts() { return read_lines(golden_folder() / "embed/texts.txt"); }

Matrix golden(const std::string& folder, const std::string& name) {
  return read_npy(golden_folder() / "embed" / folder / "golden" / (name + ".npy"));
}

std::vector<float> encode(const Model& model, const EncodeOptions& options = {}) {
  const std::vector<std::string> lines = texts();
  std::vector<float> rows(lines.size() * options.dimensions.value_or(model.info().dimensions), NAN);
  model.encode(views(lines), rows, options);
  return rows;
}

EncodeOptions prompted(const std::string& name) {
  EncodeOptions options;
  options.prompt_name = name;
  return options;
}

float largest_difference(const std::vector<float>& found, const Matrix& expected) {
  if (found.size() != expected.values.size()) return INFINITY;
  float largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float difference = std::fabs(found[i] - expected.values[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

double cosine(const float* x, const float* y, std::size_t n) {
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
    xy += a * b, xx += a * a, yy += b * b;
  }
  return xy / std::sqrt(xx * yy);
}

double least_cosine(const std::vector<float>& found, const Matrix& expected) {
  REQUIRE(found.size() == expected.values.size());
  double least = 1;
  for (std::size_t i = 0; i < expected.rows; ++i) {
    least = std::min(least, cosine(found.data() + i * expected.columns, expected.row(i), expected.columns));
  }
  return least;
}

bool equal_bits(std::span<const float> x, std::span<const float> y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size_bytes()) == 0;
}

struct Case {
  std::string folder, golden, prompt;
};

/// Every folder of one row a text, with each of its prompts.
const std::vector<Case> kPooled = {
    {"max-dense", "embeddings", ""},
    {"max-dense-before-6", "embeddings", ""},
    {"last", "embeddings", ""},
    {"sqrt-len", "embeddings", ""},
    {"prompt-left-out", "embeddings", ""},
    {"prompt-left-out", "query", "query"},
    {"prompt-left-out", "document", "document"},
    {"all-poolings", "embeddings", ""},
    {"all-poolings", "query", "query"},
    {"all-poolings", "document", "document"},
    {"all-poolings-before-6", "embeddings", ""},
    {"all-poolings-before-6", "query", "query"},
    {"mean-cls-max", "embeddings", ""},
    {"mean-cls-max-before-6", "embeddings", ""},
    {"two-dense", "embeddings", ""},
    {"matryoshka", "embeddings", ""},
    {"matryoshka", "query", "query"},
};

const std::vector<std::string> kSparse = {"splade", "splade-before-6", "splade-twice"};
const std::vector<std::string> kMultiVector = {"colbert", "colbert-attends", "colbert-pylate",
                                               "colbert-stanford"};

std::vector<std::size_t> counts(const std::string& folder, const std::string& role) {
  const auto file = golden_folder() / "embed" / folder / "golden" / (role + "_rows.json");
  std::istringstream in(read_bytes(file));
  std::vector<std::size_t> result;
  char comma = 0;
  for (in >> comma; comma == '[' || comma == ','; in >> comma) in >> result.emplace_back();
  return result;
}

std::vector<float> joined(const std::vector<TokenVectors>& texts) {
  std::vector<float> all;
  for (const TokenVectors& text : texts) all.insert(all.end(), text.values.begin(), text.values.end());
  return all;
}

}  // namespace

TEST_CASE("FP32 gives sentence-transformers' rows, whatever pools and modules a folder has") {
  for (const Case& each : kPooled) {
    INFO(each.folder << " " << each.golden);
    const EncodeOptions options = each.prompt.empty() ? EncodeOptions() : prompted(each.prompt);
    REQUIRE(largest_difference(encode(load_f32(each.folder), options), golden(each.folder, each.golden)) <=
            kClose);
  }
}

TEST_CASE("in int8 each row is near sentence-transformers'") {
  for (const Case& each : kPooled) {
    INFO(each.folder << " " << each.golden);
    const EncodeOptions options = each.prompt.empty() ? EncodeOptions() : prompted(each.prompt);
    const double least = least_cosine(encode(load(each.folder), options), golden(each.folder, each.golden));
    CAPTURE(least);
    REQUIRE(least >= 0.999);
  }
}

TEST_CASE("a text has the same bits alone and among others, with every head") {
  std::vector<std::string> folders = kSparse;
  for (const Case& each : kPooled) folders.push_back(each.folder);
  const std::vector<std::string> lines = texts();
  for (const std::string& folder : folders) {
    INFO(folder);
    const Model model = load(folder);
    const std::size_t columns = model.info().dimensions;
    const std::vector<float> all = encode(model);
    std::vector<float> row(columns);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string_view text = lines[i];
      model.encode({&text, 1}, row);
      REQUIRE(equal_bits(row, std::span(all).subspan(i * columns, columns)));
    }
  }
}

TEST_CASE("a default prompt is put before texts, and an empty one in its place takes it away") {
  const Model model = load_f32("prompt-left-out");
  REQUIRE(model.info().default_prompt == "query");
  REQUIRE(model.info().prompts.at("document") == "text: ");
  EncodeOptions none;
  none.prompt = "";
  REQUIRE_FALSE(equal_bits(encode(model, none), encode(model)));
  EncodeOptions text;
  text.prompt = "represent the question: ";
  REQUIRE(equal_bits(encode(model, text), encode(model)));
  REQUIRE_THROWS_WITH(encode(model, prompted("passage")),
                      "prompt name: expected one of the model's (document, query), found 'passage'");
}

TEST_CASE("dimensions are those of the call, of the load, of the folder, in this order") {
  REQUIRE(load_f32("matryoshka").info().dimensions == 16);
  const Matrix expected = golden("matryoshka", "dimensions-7");
  EncodeOptions seven;
  seven.dimensions = 7;
  const std::vector<float> rows = encode(load_f32("matryoshka"), seven);
  REQUIRE(largest_difference(rows, expected) <= kClose);
  LoadOptions options;
  options.weights = Weights::f32;
  options.dimensions = 7;
  REQUIRE(equal_bits(encode(load("matryoshka", options)), rows));
  options.dimensions = 41;
  REQUIRE_THROWS_WITH(load("matryoshka", options), "dimensions: expected 1 to 40, found 41");
  seven.dimensions = 0;
  REQUIRE_THROWS_WITH(encode(load_f32("matryoshka"), seven), "dimensions: expected 1 to 40, found 0");
}

TEST_CASE("poolings of the caller go before those of the folder") {
  LoadOptions options;
  options.weights = Weights::f32;
  options.pooling = {Pooling::cls, Pooling::last};
  const Model model = load("last", options);
  REQUIRE(model.info().dimensions == 80);
  const std::vector<float> both = encode(model), last = encode(load_f32("last"));
  for (std::size_t i = 0; i < texts().size(); ++i)
    REQUIRE(equal_bits(std::span(both).subspan(i * 80 + 40, 40), std::span(last).subspan(i * 40, 40)));
}

TEST_CASE("FP32 gives sentence-transformers' sparse rows") {
  for (const std::string& folder : kSparse) {
    INFO(folder);
    const Model model = load_f32(folder);
    REQUIRE(model.info().output == Output::sparse);
    REQUIRE(model.info().dimensions == 307);
    REQUIRE(largest_difference(encode(model), golden(folder, "embeddings")) <= kClose);
  }
}

TEST_CASE("in int8 sparse rows are near sentence-transformers'") {
  for (const std::string& folder : kSparse) {
    const double least = least_cosine(encode(load(folder)), golden(folder, "embeddings"));
    CAPTURE(folder, least);
    REQUIRE(least >= 0.995);
  }
}

TEST_CASE("sparse vectors are the rows without their zeros") {
  const Model model = load("splade");
  const std::vector<std::string> lines = texts();
  const std::vector<float> rows = encode(model);
  const std::vector<SparseVector> vectors = encode_sparse(model, views(lines));
  REQUIRE(vectors.size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<float> row(307);
    for (std::size_t t = 0; t < vectors[i].ids.size(); ++t) {
      REQUIRE(vectors[i].weights[t] > 0);
      row[static_cast<std::size_t>(vectors[i].ids[t])] = vectors[i].weights[t];
    }
    REQUIRE(equal_bits(row, std::span(rows).subspan(i * 307, 307)));
  }
}

TEST_CASE("FP32 gives the reference's vectors of queries and documents") {
  const std::vector<std::string> lines = texts();
  for (const std::string& folder : kMultiVector) {
    const Model model = load_f32(folder);
    REQUIRE(model.info().output == Output::multi_vector);
    for (const std::string role : {"query", "document"}) {
      INFO(folder << " " << role);
      const auto found = encode_tokens(model, views(lines), prompted(role));
      const std::vector<std::size_t> expected = counts(folder, role);
      REQUIRE(found.size() == expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        INFO("text " << i);
        REQUIRE(found[i].count == expected[i]);
      }
      REQUIRE(largest_difference(joined(found), golden(folder, role)) <= kClose);
    }
  }
}

TEST_CASE(
    "in int8 the vectors of queries and documents are near the reference's, and alone as among others") {
  const std::vector<std::string> lines = texts();
  for (const std::string& folder : kMultiVector) {
    const Model model = load(folder);
    for (const std::string role : {"query", "document"}) {
      const auto found = encode_tokens(model, views(lines), prompted(role));
      const double least = least_cosine(joined(found), golden(folder, role));
      CAPTURE(folder, role, least);
      REQUIRE(least >= 0.999);
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string_view text = lines[i];
        REQUIRE(equal_bits(encode_tokens(model, {&text, 1}, prompted(role))[0].values, found[i].values));
      }
    }
  }
}

TEST_CASE("texts without a role are documents") {
  const std::vector<std::string> lines = texts();
  const Model model = load("colbert");
  REQUIRE(equal_bits(joined(encode_tokens(model, views(lines))),
                     joined(encode_tokens(model, views(lines), prompted("document")))));
}

TEST_CASE("late interaction adds each query vector's best product") {
  const TokenVectors query{2, {1, 0, 0, 1}}, document{3, {0.5F, 0, 0, 0.25F, 0.75F, 0}};
  REQUIRE(max_similarity(query, document) == 1.0);
  REQUIRE(max_similarity({0, {}}, document) == 0.0);
}

TEST_CASE("outputs that a model does not give are refused") {
  LoadOptions options;
  options.output = Output::multi_vector;
  REQUIRE_THROWS_WITH(load("last", options),
                      "output: expected embedding or tokens, which this model gives, found multi_vector");
  const std::vector<std::string> lines = texts();
  std::vector<float> rows(lines.size() * 12);
  REQUIRE_THROWS_WITH(load("colbert").encode(views(lines), rows),
                      "encode needs a model whose output is one row a text, found one row a token");
  REQUIRE_THROWS_WITH(
      encode_tokens(load("last"), views(lines)),
      "encode_tokens: expected a model whose output is one row a token, found one with another output");
  EncodeOptions windows;
  windows.chunk = 20;
  REQUIRE_THROWS_WITH(encode_tokens(load("colbert"), views(lines), windows),
                      "chunk: expected an output of one row a text, found one row a token");
}
