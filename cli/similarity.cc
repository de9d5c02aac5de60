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

namespace nybble::cli {
namespace {

struct SimilarityOptions {
  ModelOptions model;
  std::vector<std::string> texts;
};

double cosine(std::span<const float> a, std::span<const float> b) {
  const auto dot = [](std::span<const float> x, std::span<const float> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

void similarity(SimilarityOptions& options) {
  for (std::string& text : options.texts) text = as_given(std::move(text));
  const Model model = options.model.load_model();
  const std::size_t hidden = model.info().hidden;
  const std::vector<std::string_view> texts(options.texts.begin(), options.texts.end());
  std::vector<float> rows(texts.size() * hidden);
  const EncodeReport done = model.encode(texts, rows);
  OutputFile output("-");
  const std::span<const float> all(rows);
  for (std::size_t i = 1; i < texts.size(); ++i) {
    output.write(
        fmt::format("{:.4f}\t{}\n", cosine(all.first(hidden), all.subspan(i * hidden, hidden)), texts[i]));
  }
  output.finish();
  say_cut(done.cut, model.info().max_tokens);
  say_invalid({done.invalid_parts, done.first_invalid + 1}, "arguments", "text");
}

}  // namespace

void add_similarity(CLI::App& app) {
  auto options = std::make_shared<SimilarityOptions>();
  CLI::App* command = app.add_subcommand(
      "similarity", "Cosine similarity of the first text to each other, a line each: score, tab, text.");
  options->model.add_all(*command);
  command->add_option("texts", options->texts, "two texts or more")->required()->expected(2, 1 << 20);
  command->footer("Example: nybble similarity 'rotate log files' 'log rotation utility' 'a chess program'");
  command->callback([options] { similarity(*options); });
}

}  // namespace nybble::cli
