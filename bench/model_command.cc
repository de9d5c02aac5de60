// nybble bench model: how long a loaded model takes for given sequences.
#include "bench/model_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "bench/input_options.h"
#include "bench/model_timing.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/row_writer.h"
#include "cli/text_lines.h"

namespace nybble::bench {
namespace {

struct ModelBenchOptions {
  cli::ModelOptions model;
  InputOptions input;
  std::string output;
  int rounds = 20;
  bool serve = false, json = false;
};

void require_one_input(const ModelBenchOptions& options) {
  const int given = options.input.given() + options.serve;
  if (given == 1) return;
  throw cli::UsageError(fmt::format(
      "expected one of --lengths, --lengths-file, --ids-file, --texts-file and --serve-stdin, found {}",
      given == 0 ? "none" : "several"));
}

std::string table(const ModelTiming& timing, const CallInput& input, const ModelInfo& info) {
  return fmt::format(
      "{}, {}, {} thread(s), {} sequence(s), {} tokens\n"
      "best {:.3f} ms, median {:.3f} ms, {:.0f} tokens/s, {:.1f} GMAC/s, {:.1f} % of the peak\n",
      machine().cpu, info.isa, info.threads, input.rows(), timing.tokens, timing.ms_best, timing.ms_median,
      static_cast<double>(timing.tokens) / timing.ms_best * 1e3, timing.gmac_s, 100 * timing.peak_share);
}

void store(std::span<const float> rows, std::size_t columns, const std::string& path) {
  cli::OutputFile file(path);
  cli::RowWriter writer(file, cli::row_format("", path), columns);
  for (std::size_t i = 0; i * columns < rows.size(); ++i) writer.write(i, rows.subspan(i * columns, columns));
  writer.finish();
}

/// Answers each line of stdin with a line as soon as its call is timed. A line that cannot be run is answered
/// with {"error":…}.
void serve(const Model& model) {
  cli::OutputFile output("-");
  cli::TextLines lines("-");
  ModelClock clock(model);
  for (std::string line; lines.next(line);) {
    try {
      const std::string where = fmt::format("{}: line {}", lines.name(), lines.line_number());
      output.write(json_line(clock.time(parse_call(line, model.info().vocabulary, where), 1)));
    } catch (const Error& error) {
      output.write(nlohmann::json{{"error", error.what()}}.dump() + "\n");
    }
    output.flush();
  }
  output.finish();
}

void bench_model(ModelBenchOptions& options) {
  require_one_input(options);
  const Model model = options.model.load_model();
  if (options.serve) return serve(model);
  const CallInput input = options.input.read(model.info().vocabulary);
  cli::OutputFile output("-");
  ModelClock clock(model);
  clock.call(input);
  const ModelTiming timing = clock.time(input, options.rounds);
  if (!options.output.empty()) store(clock.rows(), model.info().dimensions, options.output);
  output.write(options.json ? json_line(timing) : table(timing, input, model.info()));
  output.finish();
}

}  // namespace

void add_model(CLI::App& bench) {
  auto options = std::make_shared<ModelBenchOptions>();
  CLI::App* command = bench.add_subcommand("model", "Time calls of a model beside the machine's peak.");
  options->model.load.threads = 1;
  options->model.add_all(*command);
  options->input.add(*command);
  auto* serve = command->add_flag(
      "--serve-stdin", options->serve,
      "stay warm: each line of stdin is one call, lengths or a JSON array of arrays of ids or of "
      "texts, and is answered with a line as --json prints it");
  command->add_option("--rounds", options->rounds, "calls that are timed, after one that is not")
      ->check(CLI::Range(1, 100000))
      ->excludes(serve)
      ->capture_default_str();
  command->add_flag("--json", options->json, "print an object");
  command
      ->add_option("-o,--output", options->output,
                   "store the embeddings of the last call: .npy, .f32, or jsonl")
      ->excludes(serve);
  command->footer("Example: nybble bench model --lengths 16,32 --rounds 5");
  command->callback([options] { bench_model(*options); });
}

}  // namespace nybble::bench
