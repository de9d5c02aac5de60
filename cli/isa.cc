// nybble isa: instruction sets, caches, and the CPUs that this process may use.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "nybble/nybble.h"

namespace nybble::cli {
namespace {

std::string as_json(const std::vector<InstructionSet>& sets) {
  auto array = nlohmann::ordered_json::array();
  for (const InstructionSet& set : sets) {
    array.push_back(
        {{"name", set.name}, {"compiled", set.compiled}, {"runnable", set.runnable}, {"active", set.active}});
  }
  return array.dump(2) + "\n";
}

std::string cpus_text(const Machine& machine) {
  std::string text = fmt::format("threads {}: {} of {} CPUs by affinity", machine.threads,
                                 machine.affinity_cpus, machine.online_cpus);
  if (machine.quota_cpus > 0) {
    return text + fmt::format(", {:.2f} CPUs of time by {}\n", machine.quota_cpus, machine.quota_source);
  }
  return text + ", no cgroup quota\n";
}

std::string as_text(const std::vector<InstructionSet>& sets) {
  const Machine here = machine();
  std::string text = here.cpu + "\n\n";
  text += fmt::format("{:<12} {:<9} {:<9} {:<7} {}\n", "name", "compiled", "runnable", "active", "needs");
  const auto mark = [](bool yes) { return yes ? "yes" : "no"; };
  for (const InstructionSet& set : sets) {
    text += fmt::format("{:<12} {:<9} {:<9} {:<7} {}\n", set.name, mark(set.compiled), mark(set.runnable),
                        mark(set.active), set.needs);
  }
  text += "\n";
  for (const Machine::Cache& cache : here.caches) {
    text += fmt::format("L{} {:<11} {:>8} KiB, shared by {} CPU{}\n", cache.level, cache.type,
                        cache.bytes / 1024, cache.shared_by, cache.shared_by == 1 ? "" : "s");
  }
  return text + cpus_text(here);
}

}  // namespace

void add_isa(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("isa",
                                         "Show the instruction sets (compiled, runnable, active), the "
                                         "caches, and the CPUs that may be used and why.");
  command->add_flag("--json", *json, "the instruction sets as a JSON array");
  command->footer("NYBBLE_ISA or --isa of other commands force one.\nExample: nybble isa --json");
  command->callback([json] {
    const std::vector<InstructionSet> sets = instruction_sets();
    OutputFile output("-");
    output.write(*json ? as_json(sets) : as_text(sets));
    output.finish();
  });
}

}  // namespace nybble::cli
