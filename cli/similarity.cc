// nybble similarity: how close texts are to the first.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <numeric>

#include "cli/bracketed_argument.h"
#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/reading_options.h"
#include "nybble/vectors.h"

namespace nybble::cli {
namespace {

struct SimilarityOptions {
  ModelOptions model;
  ReadingOptions reading;
  std::vector<std::string> texts;
};

double dot(std::span<const float> x, std::span<const float> y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

/// Of the first text with each other: the cosine, or of sparse rows the dot product.
std::vector<double> scores_of_rows(const Model& model, std::span<const std::string_view> texts,
                                   const EncodeOptions& options, EncodeReport& report) {
  const std::size_t columns = model.info().dimensions;
  std::vector<float> rows(texts.size() * columns);
  report = model.encode(texts, rows, options);
  const std::span<const float> all(rows);
  const auto first = all.first(columns);
  std::vector<double> scores;
  for (std::size_t i = 1; i < texts.size(); ++i) {
    const auto other = all.subspan(i * columns, columns);
    const bool is_sparse = model.info().output == Output::sparse;
    const double lengths = is_sparse ? 1 : std::sqrt(dot(first, first) * dot(other, other));
    scores.push_back(dot(first, other) / lengths);
  }
  return scores;
}

/// Of multi-vector models: the first text is a query, the others documents.
std::vector<double> scores_of_tokens(const Model& model, std::span<const std::string_view> texts,
                                     EncodeOptions options) {
  const auto documents = encode_tokens(model, texts.subspan(1), options);
  options.prompt_name = "query";
  const auto query = encode_tokens(model, texts.first(1), options);
  std::vector<double> scores;
  for (const TokenVectors& document : documents) scores.push_back(max_similarity(query[0], document));
  return scores;
}

void similarity(SimilarityOptions& options) {
  for (std::string& text : options.texts) text = as_given(std::move(text));
  const Model model = options.model.load_model();
  const std::vector<std::string_view> texts(options.texts.begin(), options.texts.end());
  const EncodeOptions reading = options.reading.encode_options();
  EncodeReport done;
  const std::vector<double> scores = model.info().output == Output::multi_vector
                                         ? scores_of_tokens(model, texts, reading)
                                         : scores_of_rows(model, texts, reading, done);
  OutputFile output("-");
  for (std::size_t i = 1; i < texts.size(); ++i)
    output.write(fmt::format("{:.4f}\t{}\n", scores[i - 1], texts[i]));
  output.finish();
  say_cut(done.cut, model.info().max_tokens);
  say_invalid({done.invalid_parts, done.first_invalid + 1}, "arguments", "text");
}

}  // namespace

void add_similarity(CLI::App& app) {
  auto options = std::make_shared<SimilarityOptions>();
  CLI::App* command =
      app.add_subcommand("similarity",
                         "Similarity of the first text to each other, a line each: score, tab, text. The "
                         "cosine; of sparse models the "
                         "dot product; of multi-vector ones the sum of the query's greatest dot products.");
  options->model.add_all(*command);
  options->reading.add(*command);
  command->add_option("texts", options->texts, "two texts or more")->required()->expected(2, 1 << 20);
  command->footer("Example: nybble similarity 'rotate log files' 'log rotation utility' 'a chess program'");
  command->callback([options] { similarity(*options); });
}

}  // namespace nybble::cli
