// nybble tokenize: a JSON line per text.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/text_lines.h"

namespace nybble::cli {
namespace {

struct TokenizeOptions {
  ModelOptions model;
  std::size_t max_tokens = 0;
  std::string input = "-";
};

template <class Range, class Print>
std::string json_array(const Range& values, Print&& print) {
  std::string text = "[";
  for (const auto& value : values) {
    if (text.size() > 1) text += ',';
    text += print(value);
  }
  return text + ']';
}

std::string json_line(const Tokens& tokens) {
  return fmt::format(
      "{{\"ids\":{},\"tokens\":{},\"offsets\":{},\"special\":{}}}\n",
      json_array(tokens.ids, [](std::int32_t id) { return fmt::format("{}", id); }),
      json_array(tokens.tokens, [](const std::string& token) { return nlohmann::json(token).dump(); }),
      json_array(tokens.offsets,
                 [](const auto& span) { return fmt::format("[{},{}]", span.first, span.second); }),
      json_array(tokens.special, [](std::uint8_t special) { return fmt::format("{}", special); }));
}

void tokenize(const TokenizeOptions& options) {
  TextLines lines(options.input);
  OutputFile output("-");
  const Tokenizer tokenizer = Tokenizer::load(options.model.model);
  std::string text;
  std::size_t invalid_parts = 0;
  std::uint64_t first_invalid_line = 0;
  while (lines.next(text)) {
    const Tokens tokens = tokenizer.tokenize(text, options.max_tokens);
    if (tokens.invalid_parts > 0 && invalid_parts == 0) first_invalid_line = lines.line_number();
    invalid_parts += tokens.invalid_parts;
    output.write(json_line(tokens));
  }
  output.finish();
  if (invalid_parts > 0) {
    fmt::print(stderr, "nybble: {}: {} invalid UTF-8 part{} read as U+FFFD, the first in line {}\n",
               lines.name(), invalid_parts, invalid_parts == 1 ? "" : "s", first_invalid_line);
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand(
      "tokenize", "Tokenize texts, one a line: a JSON object each, offsets in bytes of the text.");
  options->model.add_model(*command);
  command
      ->add_option("--max-tokens", options->max_tokens,
                   "cut texts to this many tokens; else they are not cut")
      ->check(CLI::PositiveNumber);
  command->add_option("file", options->input, "texts, one a line; - is standard input")
      ->capture_default_str();
  command->footer("Example: echo 'hello world' | nybble tokenize");
  command->callback([options] { tokenize(*options); });
}

}  // namespace nybble::cli
