#include "bench/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace nybble::bench {
namespace {

using runtime::Plan;
using runtime::Stage;
using runtime::StageKind;
using runtime::Step;
using runtime::StepDescription;

struct Kind {
  std::string_view name, ops;  ///< ops between blanks
};
constexpr Kind kKinds[] = {{"products", " linear "},
                           {"attention", " attention "},
                           {"norms", " layernorm "},
                           {"quantization", " quantize_rows "},
                           {"activations and sums", " activation add add_bias unfold "},
                           {"embeddings", " embed_sum "},
                           {"pooling", " pool l2_normalize "}};
constexpr std::string_view kOther = "other steps", kTokenizer = "tokenizer", kRest = "waits and the rest";

std::string_view stage_name(StageKind kind) {
  if (kind == StageKind::rows) return "rows";
  return kind == StageKind::attention ? "attention" : "sequences";
}

double peak_of(const StepDescription& step, const Peaks& peaks) {
  if (step.op.starts_with("linear") && step.format.starts_with("int")) return peaks.linears;
  return step.kernel.find("s8") != std::string::npos ? peaks.integers : peaks.floats;
}

/// A product of a stage over sequences has a row for each of them.
double macs_of(const StepDescription& step, StageKind stage, const WorkDone& work) {
  const double rows = stage == StageKind::sequences ? work.sequences : work.tokens;
  return step.macs_per_token * rows + step.macs_per_pair * work.pairs(step.window) +
         step.macs_per_position * work.positions(step.positions) + step.macs_per_key * work.tokens;
}

double bytes_of(const StepDescription& step, const WorkDone& work) {
  return static_cast<double>(step.weight_bytes) * work.batches +
         static_cast<double>(step.bytes_per_token) * work.tokens +
         static_cast<double>(step.bytes_per_sequence) * work.sequences;
}

StepCost cost_of(const CallTimes::OfStep& times, const StepDescription& step, StageKind stage,
                 const ProfileReport& report) {
  StepCost cost;
  cost.tasks = times.tasks;
  cost.seconds = times.seconds;
  cost.share = times.seconds / report.thread_seconds;
  cost.macs = macs_of(step, stage, report.work);
  cost.bytes = bytes_of(step, report.work);
  cost.peak_macs = cost.seconds * peak_of(step, report.peaks);
  return cost;
}

double sum_of(const CallTimes& times) {
  double seconds = times.tokenizer + times.rest;
  for (const auto& [step, of_step] : times.steps) seconds += of_step.seconds;
  return seconds;
}

bool same_op(const StepDescription& a, const StepDescription& b) {
  return a.op == b.op && a.shape == b.shape && a.kernel == b.kernel;
}

void add_to_op(const StepLine& line, std::vector<OpLine>& ops) {
  auto op =
      std::find_if(ops.begin(), ops.end(), [&](const OpLine& it) { return same_op(*it.step, *line.step); });
  if (op == ops.end()) op = ops.insert(ops.end(), {0, line.step, {}});
  ++op->steps;
  op->cost += line.cost;
}

double seconds_of_kind(const ProfileReport& report, std::string_view kind) {
  double seconds = 0;
  for (const StepLine& line : report.steps) seconds += kind_of(*line.step) == kind ? line.cost.seconds : 0;
  return seconds;
}

void add_kinds(const CallTimes& times, ProfileReport& report) {
  const auto add = [&](std::string_view name, double seconds) {
    report.kinds.push_back({name, seconds, seconds / report.thread_seconds});
  };
  const auto add_some = [&](std::string_view name, double seconds) {
    if (seconds > 0) add(name, seconds);
  };
  for (const Kind& kind : kKinds) add_some(kind.name, seconds_of_kind(report, kind.name));
  add_some(kOther, seconds_of_kind(report, kOther));
  add_some(kTokenizer, times.tokenizer);
  add(kRest, times.rest);
}

// ---- text ----

std::string cell(double value, int width, int decimals) {
  return value > 0 ? fmt::format(" {:>{}.{}f}", value, width, decimals) : fmt::format(" {:>{}}", "-", width);
}
std::string percent(double share, int width) {
  return share > 0 ? cell(100 * share, width - 2, 1) + " %" : fmt::format(" {:>{}}", "-", width);
}

std::string cost_cells(const StepCost& cost) {
  return fmt::format(" {:>6} {:>9.3f}", cost.tasks, 1e3 * cost.seconds) + percent(cost.share, 8) +
         cell(cost.gmac_s(), 8, 1) + percent(cost.peak_share(), 8) + cell(cost.gb_s(), 8, 1) + "\n";
}
std::string cost_titles() {
  return fmt::format(" {:>6} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "tasks", "ms", "share", "GMAC/s", "of peak",
                     "GB/s");
}

/// The widest op and shape.
struct Widths {
  std::size_t op = 2, shape = 5;
};

Widths widths_of(const ProfileReport& report) {
  Widths widths;
  for (const OpLine& line : report.ops) {
    widths.op = std::max(widths.op, line.step->op.size());
    widths.shape = std::max(widths.shape, line.step->shape.size());
  }
  return widths;
}

std::string line_of(const StepLine& line, const Widths& widths) {
  return fmt::format("{:>4} {:<12} {:<{}} {:<28}", line.number,
                     fmt::format("{} {}", line.stage, stage_name(line.stage_kind)), line.step->op, widths.op,
                     line.step->kernel) +
         cost_cells(line.cost);
}
std::string line_of(const OpLine& line, const Widths& widths) {
  return fmt::format("{:>5} {:<{}} {:<{}}", line.steps, line.step->op, widths.op, line.step->shape,
                     widths.shape) +
         cost_cells(line.cost);
}
std::string line_of(const KindLine& line) {
  return fmt::format("{:<22} {:>9.3f}{}\n", line.kind, 1e3 * line.seconds, percent(line.share, 8));
}

std::string head(const ProfileReport& report, const ModelInfo& model) {
  const ModelTiming& timing = report.timing;
  return fmt::format(
      "{}, {}, {} thread(s), {:.0f} sequence(s), {:.0f} tokens computed, {:.0f} batch(es)\n"
      "best {:.3f} ms, median {:.3f} ms of {} rounds; {:.1f} GMAC/s in linear layers, {:.1f} % of the peak\n"
      "below, the least times of as many calls that were observed, {:.3f} ms in all; one thread's peak: "
      "{:.1f} GMAC/s in integers, "
      "{:.1f} in "
      "floats\n\n",
      machine().cpu, model.isa, model.threads, report.work.sequences, report.work.tokens, report.work.batches,
      timing.ms_best, timing.ms_median, report.rounds, timing.gmac_s, 100 * timing.peak_share,
      1e3 * report.thread_seconds / model.threads, report.peaks.integers / 1e9, report.peaks.floats / 1e9);
}

// ---- JSON ----

using Json = nlohmann::ordered_json;

void append(const StepDescription& step, const StepCost& cost, Json& line) {
  line.update({{"kind", kind_of(step)},
               {"op", step.op},
               {"shape", step.shape},
               {"format", step.format},
               {"kernel", step.kernel},
               {"tasks", cost.tasks},
               {"ms", 1e3 * cost.seconds},
               {"share", cost.share},
               {"gmac_s", cost.gmac_s()},
               {"peak_share", cost.peak_share()},
               {"gb_s", cost.gb_s()}});
}

Json json_of(const StepLine& line) {
  Json object = {{"step", line.number}, {"stage", line.stage}};
  append(*line.step, line.cost, object);
  return object;
}

Json json_of(const OpLine& line) {
  Json object = {{"steps", line.steps}};
  append(*line.step, line.cost, object);
  return object;
}

Json json_of(const KindLine& line) {
  return {{"kind", line.kind}, {"ms", 1e3 * line.seconds}, {"share", line.share}};
}

template <class Line>
Json json_of(const std::vector<Line>& lines) {
  Json list = Json::array();
  for (const Line& line : lines) list.push_back(json_of(line));
  return list;
}

}  // namespace

std::string_view kind_of(const StepDescription& step) {
  const std::string op = " " + step.op.substr(0, step.op.find('+')) + " ";
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const Kind& it) { return it.ops.find(op) != std::string_view::npos; });
  return kind == std::end(kKinds) ? kOther : kind->name;
}

StepCost& StepCost::operator+=(const StepCost& other) {
  tasks += other.tasks;
  seconds += other.seconds;
  share += other.share;
  macs += other.macs;
  peak_macs += other.peak_macs;
  bytes += other.bytes;
  return *this;
}

void add_lines(const StepProfile& call, const CallTimes& least, const Peaks& peaks, ProfileReport& report) {
  report.work = call.work();
  report.peaks = peaks;
  report.observed_seconds = call.call_seconds();
  report.thread_seconds = sum_of(least);
  int number = 0, stage_number = 0;
  for (const Stage& stage : call.plan()->stages) {
    ++stage_number;
    for (const Step& step : stage.steps) {
      const auto times = least.steps.find(&step);
      const CallTimes::OfStep of_step = times == least.steps.end() ? CallTimes::OfStep() : times->second;
      report.steps.push_back({++number, stage_number, stage.kind, &step.description,
                              cost_of(of_step, step.description, stage.kind, report)});
      add_to_op(report.steps.back(), report.ops);
    }
  }
  add_kinds(least, report);
}

std::string table(const ProfileReport& report, const ModelInfo& model) {
  const Widths widths = widths_of(report);
  std::string text = head(report, model);
  text +=
      fmt::format("{:>4} {:<12} {:<{}} {:<28}", "step", "stage", "op", widths.op, "kernel") + cost_titles();
  for (const StepLine& line : report.steps) text += line_of(line, widths);
  text +=
      fmt::format("\n{:>5} {:<{}} {:<{}}", "steps", "op", widths.op, "shape", widths.shape) + cost_titles();
  for (const OpLine& line : report.ops) text += line_of(line, widths);
  text += fmt::format("\n{:<22} {:>9} {:>8}\n", "kind", "ms", "share");
  for (const KindLine& line : report.kinds) text += line_of(line);
  return text;
}

std::string json_line(const ProfileReport& report, const ModelInfo& model) {
  const Json json = {{"cpu", machine().cpu},
                     {"isa", model.isa},
                     {"threads", model.threads},
                     {"sequences", report.work.sequences},
                     {"tokens", report.timing.tokens},
                     {"batches", report.work.batches},
                     {"rounds", report.rounds},
                     {"ms_best", report.timing.ms_best},
                     {"ms_median", report.timing.ms_median},
                     {"gmac_s", report.timing.gmac_s},
                     {"peak_share", report.timing.peak_share},
                     {"peak_int8_gmac_s", report.peaks.integers / 1e9},
                     {"peak_f32_gmac_s", report.peaks.floats / 1e9},
                     {"ms_observed", 1e3 * report.observed_seconds},
                     {"ms_profiled", 1e3 * report.thread_seconds / model.threads},
                     {"steps", json_of(report.steps)},
                     {"ops", json_of(report.ops)},
                     {"kinds", json_of(report.kinds)}};
  return json.dump() + "\n";
}

}  // namespace nybble::bench
