// `nybble explain`: a plan as a table.
#include <fmt/format.h>

#include "runtime/plan.h"

namespace nybble::runtime {
namespace {

std::string_view stage_name(StageKind kind) {
  if (kind == StageKind::rows) return "rows";
  return kind == StageKind::attention ? "attention" : "sequences";
}

/// A token. What is done once a sequence is no part of it: its share falls with the sequence's length.
double total_macs(const Plan& plan) {
  double total = 0;
  for (const Stage& stage : plan.stages) {
    if (stage.kind == StageKind::sequences) continue;
    for (const Step& step : stage.steps) total += step.description.macs_per_token;
  }
  return total;
}

/// Rows that the steps write and read, a token.
std::string row_traffic(const Plan& plan) {
  std::size_t written = 0, read = 0;
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) {
      for (const RowPass& pass : step.description.passes) {
        if (!pass.per_sequence) (pass.writes ? written : read) += pass.row_bytes;
      }
    }
  }
  return fmt::format("{:.1f} KB of rows written and {:.1f} KB read for each token\n",
                     static_cast<double>(written) / 1e3, static_cast<double>(read) / 1e3);
}

std::string bytes_text(std::size_t bytes) {
  return bytes == 0 ? "" : fmt::format("{:.1f} KB", static_cast<double>(bytes) / 1e3);
}

}  // namespace

std::string describe(const Plan& plan) {
  const double total = total_macs(plan);
  std::string text = fmt::format("{:>4} {:<10} {:<34} {:<66} {:<6} {:<28} {:>10} {:>6}\n", "step", "stage",
                                 "op", "shape", "format", "kernel", "weights", "work");
  int number = 0, stage_number = 0;
  for (const Stage& stage : plan.stages) {
    const std::string where = fmt::format("{} {}", ++stage_number, stage_name(stage.kind));
    for (const Step& step : stage.steps) {
      const StepDescription& it = step.description;
      const bool counts = it.macs_per_token > 0 && stage.kind != StageKind::sequences;
      const std::string work = counts ? fmt::format("{:.1f}%", 100 * it.macs_per_token / total) : "";
      text += fmt::format("{:>4} {:<10} {:<34} {:<66} {:<6} {:<28} {:>10} {:>6}\n", ++number, where, it.op,
                          it.shape, it.format, it.kernel, bytes_text(it.weight_bytes), work);
    }
  }
  text += fmt::format(
      "{} stages, up to {} rows a task, {:.1f} MB for {} tokens, {:.0f} KB of scratch a thread\n",
      plan.stages.size(), plan.block_rows, static_cast<double>(plan.row_bytes) * plan.max_tokens / 1e6,
      plan.max_tokens,
      (static_cast<double>(plan.scratch_row_bytes) * plan.block_rows + static_cast<double>(plan.own_bytes)) /
          1e3);
  text += row_traffic(plan);
  return text;
}

}  // namespace nybble::runtime
