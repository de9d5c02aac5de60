// nybble tokenize: a JSON line per text, and back.
#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/text_lines.h"

namespace nybble::cli {
namespace {

struct TokenizeOptions {
  ModelOptions model;
  std::size_t max_tokens = 0;
  std::string input = "-";
  bool decode = false, special = false;
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

[[noreturn]] void refuse_line(const TextLines& lines, const std::string& found) {
  throw Error(ErrorCode::bad_input,
              fmt::format("{}: line {}: expected a JSON array of ids or an object with \"ids\", found {}.",
                          lines.name(), lines.line_number(), found));
}

/// The ids of a line: [1, 2], or an object as printed here.
std::vector<std::int32_t> read_ids(const std::string& line, const TextLines& lines) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) refuse_line(lines, "no JSON");
  const bool object = json.is_object() && json.contains("ids");
  const auto& array = object ? json["ids"] : json;
  if (!array.is_array()) refuse_line(lines, json.type_name());
  std::vector<std::int32_t> ids;
  for (const auto& id : array) {
    const bool fits =
        id.is_number_unsigned() && id.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
    if (!fits) refuse_line(lines, "the id " + id.dump());
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

void decode(const TokenizeOptions& options) {
  TextLines lines(options.input);
  OutputFile output("-");
  const Tokenizer tokenizer = Tokenizer::load(options.model.model);
  for (std::string line; lines.next(line);) {
    const std::string text = tokenizer.decode(read_ids(line, lines), options.special);
    output.write(
        fmt::format("{{\"text\":{}}}\n",
                    nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }
  output.finish();
}

void tokenize(const TokenizeOptions& options) {
  TextLines lines(options.input);
  OutputFile output("-");
  const Tokenizer tokenizer = Tokenizer::load(options.model.model);
  Progress progress("texts", lines.bytes_total());
  const bool shares_terminal = output.is_terminal();
  InvalidText invalid;
  std::uint64_t cut = 0;
  for (std::string text; lines.next(text);) {
    const Tokens tokens = tokenizer.tokenize(text, options.max_tokens);
    invalid.count(tokens.invalid_parts, lines.line_number());
    // Only a text of exactly so many tokens can have had more.
    if (tokens.ids.size() == options.max_tokens && tokenizer.tokenize(text).ids.size() > options.max_tokens)
      ++cut;
    if (shares_terminal) progress.clear();
    output.write(json_line(tokens));
    progress.update(lines.bytes_read(), lines.line_number());
  }
  progress.clear();
  output.finish();
  say_cut(cut, options.max_tokens);
  say_invalid(invalid, lines.name(), "line");
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand(
      "tokenize", "Tokenize texts, one a line: a JSON object each, offsets in bytes of the text.");
  options->model.add_model(*command);
  command->add_flag(
      "--decode", options->decode,
      "the way back: ids, an array or an object as printed, a line, to texts, a JSON object a line");
  command->add_flag("--special", options->special, "with --decode: write special tokens, too")
      ->needs("--decode");
  command
      ->add_option("--max-tokens", options->max_tokens,
                   "cut texts to this many tokens; else they are not cut")
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("file", options->input, "texts, or ids, one a line; - is standard input")
      ->capture_default_str();
  command->footer("Example: echo 'hello world' | nybble tokenize | nybble tokenize --decode");
  command->callback([options] { options->decode ? decode(*options) : tokenize(*options); });
}

}  // namespace nybble::cli
