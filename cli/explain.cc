// nybble explain: the plan of a model, a line a step; or the graph that it was made from.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"

namespace nybble::cli {
namespace {

std::string passes_text() { return fmt::format("{}", fmt::join(pass_names(), ", ")); }

struct ExplainOptions {
  ModelOptions model;
  bool graph = false;
  std::string dump_after;
};

void explain(ExplainOptions& options) {
  OutputFile output("-");
  bool dumped = false;
  if (!options.dump_after.empty()) {
    options.model.load.on_pass = [&](std::string_view pass, const std::string& graph) {
      if (pass != options.dump_after) return;
      output.write(graph);
      dumped = true;
    };
  }
  const Model model = options.model.load_model();
  if (!options.dump_after.empty() && !dumped) {
    throw UsageError("--dump-after: the pass " + options.dump_after + " is disabled");
  }
  if (options.graph) output.write(model.graph());
  if (!options.graph && options.dump_after.empty()) {
    output.write(model.explain());
    output.write(fmt::format("bits: {}\n", model.info().bits));
  }
  output.finish();
}

}  // namespace

void add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "Show the plan of a model, a line a step, or its graph.");
  options->model.add_all(*command);
  auto* graph =
      command->add_flag("--graph", options->graph, "the graph after all passes instead of the plan");
  command->add_option("--dump-after", options->dump_after, "the graph after this pass instead of the plan")
      ->check(CLI::IsMember(pass_names()))
      ->excludes(graph);
  command
      ->add_option("--disable-pass", options->model.load.disabled_passes,
                   "leave a pass out; may be given again")
      ->check(CLI::IsMember(pass_names()))
      ->allow_extra_args(false);
  command->footer("The passes, in order: " + passes_text() +
                  "\nExample: nybble explain --weights f32 --graph");
  command->callback([options] { explain(*options); });
}

}  // namespace nybble::cli
