// nybble embed: a text a line in, a row a text out.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/reading_options.h"
#include "cli/row_writer.h"
#include "cli/text_lines.h"

namespace nybble::cli {
namespace {

struct EmbedOptions {
  ModelOptions model;
  ReadingOptions reading;
  bool strict = false, per_token = false;
  std::string field, format, output, input = "-";
};

/// Reads the next text as the options say.
class TextSource {
 public:
  TextSource(const EmbedOptions& options, TextLines& lines)
      : strict_(options.strict),
        lines_(lines),
        field_(options.field.empty() ? nullptr : std::make_unique<JsonField>(options.field)) {}

  bool next(std::string& text) {
    if (!lines_.next(text)) return false;
    if (auto repaired = repair_utf8(text)) take_repaired(*repaired, text);
    if (field_) text = field_->of(text, lines_);
    return true;
  }

  const InvalidText& invalid() const { return invalid_; }

 private:
  void take_repaired(Utf8Text& repaired, std::string& text) {
    const std::size_t byte = repaired.first_invalid_byte;
    if (strict_) {
      throw Error(ErrorCode::bad_input,
                  fmt::format("{}: line {}, byte {}: expected UTF-8, found byte 0x{:02X}", lines_.name(),
                              lines_.line_number(), byte + 1, static_cast<unsigned char>(text[byte])));
    }
    invalid_.count(repaired.invalid_parts, lines_.line_number());
    text = std::move(repaired.text);
  }

  bool strict_;
  TextLines& lines_;
  std::unique_ptr<JsonField> field_;
  InvalidText invalid_;
};

std::string speed_text(const EncodeReport& done, const ModelInfo& info, double seconds) {
  return fmt::format(
      "{} texts, {} tokens in {:.2f} s: {:.0f} texts/s, {:.0f} tokens/s ({}, {}, {} thread{})\n", done.texts,
      done.tokens, seconds, static_cast<double>(done.texts) / seconds,
      static_cast<double>(done.tokens) / seconds, weights_name(info.weights), info.isa, info.threads,
      plural(static_cast<std::uint64_t>(info.threads)));
}

/// Rows of which a text has many, or that are mostly zeros, have no place in the other formats.
void require_json(Output output, RowFormat format) {
  if (output == Output::embedding || format == RowFormat::jsonl) return;
  throw UsageError(fmt::format("--format: expected jsonl, which can hold {}, found another",
                               output == Output::sparse ? "sparse rows" : "several rows a text"));
}

void write_rows(const Model& model, std::size_t index, std::span<const float> rows, RowWriter& writer,
                OutputFile& output) {
  const Output kind = model.info().output;
  if (kind == Output::embedding) return writer.write(index, rows);
  if (kind != Output::sparse) return output.write(json_rows(index, rows, model.info().dimensions));
  output.write(json_weights(index, sparse_vector(rows), [&](std::int32_t id) { return model.token(id); }));
}

EncodeReport embed_lines(const Model& model, TextSource& source, const TextLines& lines,
                         const std::function<void(std::size_t, std::span<const float>)>& write,
                         const EncodeOptions& options) {
  try {
    return model.encode_stream([&](std::string& text) { return source.next(text); }, write, options);
  } catch (const Error& error) {
    throw with_line(error, lines.name(), [](std::size_t i) { return std::uint64_t{i} + 1; });
  }
}

void embed(EmbedOptions& options) {
  // Everything that can be wrong with files is found before the model is loaded.
  TextLines lines(options.input);
  OutputFile output(options.output);
  const RowFormat format = row_format(options.format, options.output);
  if (format == RowFormat::npy) RowWriter::require_seekable(output);
  if (options.per_token) options.model.load.output = Output::tokens;
  const EncodeOptions encode_options = options.reading.encode_options();
  const Model model = options.model.load_model();
  require_json(model.info().output, format);
  RowWriter writer(output, format, model.info().dimensions);
  TextSource source(options, lines);
  Progress progress("texts", lines.bytes_total());
  const auto start = std::chrono::steady_clock::now();
  const bool shares_terminal = output.is_terminal();
  const auto write = [&](std::size_t index, std::span<const float> row) {
    if (shares_terminal) progress.clear();
    write_rows(model, index, row, writer, output);
    progress.update(lines.bytes_read(), index + 1);
  };
  const EncodeReport done = embed_lines(model, source, lines, write, encode_options);
  progress.clear();
  writer.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  say_cut(done.cut, model.info().max_tokens);
  say_invalid(source.invalid(), lines.name(), "line");
  if (progress.is_shown()) write_stderr(speed_text(done, model.info(), seconds));
}

}  // namespace

void add_embed(CLI::App& app) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App* command = app.add_subcommand("embed", "Embed texts, one a line: a row of floats each, in order.");
  options->model.add_all(*command);
  options->reading.add(*command);
  command->add_flag("--per-token", options->per_token,
                    "a row a token, special ones included, instead of one a text");
  command->add_flag("--strict", options->strict, "invalid UTF-8 is an error, not U+FFFD");
  command->add_option("--field", options->field,
                      "each line is a JSON object; embed the string in this field");
  command
      ->add_option("--format", options->format,
                   "jsonl, npy or f32 (raw little-endian floats); else by -o's suffix, else jsonl")
      ->check(CLI::IsMember({"jsonl", "npy", "f32"}));
  command->add_option("-o,--output", options->output,
                      "else standard output; a regular file is replaced when it is whole");
  command->add_option("file", options->input, "texts, one a line; - is standard input")
      ->capture_default_str();
  command->footer("Example: nybble embed -o rows.npy texts.txt");
  command->callback([options] { embed(*options); });
}

}  // namespace nybble::cli
