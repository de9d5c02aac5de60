// Embeddings that are no single row.
#include "nybble/vectors.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace nybble {
namespace {

void check_output(const Model& model, std::initializer_list<Output> allowed, const char* what) {
  if (std::find(allowed.begin(), allowed.end(), model.info().output) != allowed.end()) return;
  throw Error(ErrorCode::bad_input, std::string(what) + ", found one with another output");
}

void encode_all(const Model& model, std::span<const std::string_view> texts, const EncodeOptions& options,
                const std::function<void(std::span<const float>)>& take) {
  std::size_t next = 0;
  model.encode_stream(
      [&](std::string& text) {
        if (next == texts.size()) return false;
        text = texts[next++];
        return true;
      },
      [&](std::size_t, std::span<const float> rows) { take(rows); }, options);
}

double dot(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

}  // namespace

std::vector<TokenVectors> encode_tokens(const Model& model, std::span<const std::string_view> texts,
                                        const EncodeOptions& options) {
  check_output(model, {Output::multi_vector, Output::tokens},
               "encode_tokens: expected a model whose output is one row a token");
  std::vector<TokenVectors> result;
  encode_all(model, texts, options, [&](std::span<const float> rows) {
    result.push_back({rows.size() / model.info().dimensions, {rows.begin(), rows.end()}});
  });
  return result;
}

double max_similarity(const TokenVectors& query, const TokenVectors& document) {
  double sum = 0;
  for (std::size_t q = 0; q < query.count; ++q) {
    double best = -std::numeric_limits<double>::infinity();
    for (std::size_t d = 0; d < document.count; ++d) best = std::max(best, dot(query[q], document[d]));
    sum += best;
  }
  return sum;
}

SparseVector sparse_vector(std::span<const float> row) {
  SparseVector vector;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == 0) continue;
    vector.ids.push_back(static_cast<std::int32_t>(i));
    vector.weights.push_back(row[i]);
  }
  return vector;
}

std::vector<SparseVector> encode_sparse(const Model& model, std::span<const std::string_view> texts,
                                        const EncodeOptions& options) {
  check_output(model, {Output::sparse}, "encode_sparse: expected a model whose output is sparse");
  std::vector<SparseVector> result;
  encode_all(model, texts, options,
             [&](std::span<const float> row) { result.push_back(sparse_vector(row)); });
  return result;
}

}  // namespace nybble
