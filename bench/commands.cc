// nybble bench kernels: every kernel's speed, verified and beside what the machine could do.
#include "bench/commands.h"

#include <fmt/ranges.h>

#include <memory>

#include "bench/formats_command.h"
#include "bench/kernel_report.h"
#include "bench/kernel_run.h"
#include "bench/model_command.h"
#include "bench/profile_command.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "kernels/cpu.h"
#include "kernels/registry.h"

namespace nybble::bench {
namespace {

struct BenchOptions {
  KernelPlan plan;
  std::string shapes, svg;
  bool json = false, quick = false;
};

void complete(BenchOptions& options) {
  KernelPlan& plan = options.plan;
  for (const std::string& name : plan.sets) cli::check_isa(name);
  if (plan.sets.empty()) plan.sets = {kernels::default_set().name};
  plan.shapes =
      options.shapes.empty() ? carried_layer_shapes(options.quick) : read_layer_shapes(options.shapes);
  if (plan.rows.empty())
    plan.rows = options.quick ? std::vector{1, 16, 128} : std::vector{1, 4, 16, 64, 128, 512};
  if (options.quick) plan.rounds = 3;
  plan.bandwidths = !options.svg.empty();
}

void bench_kernels(BenchOptions& options) {
  complete(options);
  cli::OutputFile output("-");
  std::unique_ptr<cli::OutputFile> svg;
  if (!options.svg.empty()) svg = std::make_unique<cli::OutputFile>(options.svg);
  const int total = operation_count(options.plan) * static_cast<int>(options.plan.sets.size());
  cli::Progress progress("results", static_cast<std::uint64_t>(total));
  Table table;
  std::vector<Record> records;
  std::uint64_t done = 0;
  measure_kernels(options.plan, [&](const Record& record) {
    if (record.kind == RecordKind::done) {
      ++done;
    } else {
      records.push_back(record);
      if (output.is_terminal()) progress.clear();
      output.write(options.json ? json_line(record) : table.line(record));
      output.flush();
    }
    progress.update(done, records.size());
  });
  progress.clear();
  if (!options.json) output.write(table.notes());
  output.finish();
  if (!svg) return;
  svg->write(roofline_svg(records, kernels::cpu_model()));
  svg->finish();
}

void add_kernels(CLI::App& bench) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = bench.add_subcommand("kernels",
                                           "Measure the kernels, one thread: each result is compared with "
                                           "the scalar set's, then timed in rounds beside the "
                                           "peak of the instruction that it uses, the clock, and oneDNN.");
  command->add_option("--isa", options->plan.sets,
                      "instruction sets (nybble isa lists them); else $NYBBLE_ISA, else the best");
  command->add_option("--op", options->plan.ops, "operations; else all")
      ->check(CLI::IsMember(operation_names()).description(""));
  command->add_option(
      "--shapes", options->shapes,
      "a file with the layers' shapes, NAME N K a line; else those of MiniLM, bge-small, BERT-base and "
      "BERT-large");
  command->add_option("--rows", options->plan.rows, "M of the products; else 1 4 16 64 128 512")
      ->check(CLI::Range(1, 4096));
  auto* quick = command->add_flag("--quick", options->quick, "the smallest model, fewer M and rounds");
  command->add_option("--rounds", options->plan.rounds, "rounds a result, of which the best counts")
      ->check(CLI::Range(1, 10000))
      ->excludes(quick)
      ->capture_default_str();
  command->add_flag(
      "--stream", options->plan.stream,
      "products on more weights than the last cache holds, beside the memory's bandwidth, instead");
  command->add_flag("--json", options->json, "an object a line");
  command->add_option("--svg", options->svg, "draw the roofline into this file, too");
  command->footer("The operations: " + fmt::format("{}", fmt::join(operation_names(), ", ")) +
                  "\nExample: nybble bench kernels --quick --op layernorm --json");
  command->callback([options] { bench_kernels(*options); });
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "Measure the kernels, or calls of a model, on this machine.");
  bench->require_subcommand(1);
  bench->footer("Example: nybble bench kernels --quick --op relu\nHelp: nybble bench kernels --help");
  add_kernels(*bench);
  add_model(*bench);
  add_formats(*bench);
  add_profile(app);
}

}  // namespace nybble::bench
