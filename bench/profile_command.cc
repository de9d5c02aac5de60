// nybble profile: where the time of a call goes, step by step.
#include "bench/profile_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "bench/chrome_trace.h"
#include "bench/input_options.h"
#include "bench/peak.h"
#include "bench/profile_report.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"

namespace nybble::bench {
namespace {

constexpr std::size_t kDefaultLength = 128;

struct ProfileOptions {
  cli::ModelOptions model;
  InputOptions input;
  std::string trace;
  int rounds = 50;
  bool json = false;
};

void require_one_input(const ProfileOptions& options) {
  if (options.input.given() <= 1) return;
  throw cli::UsageError(
      "expected one of --lengths, --lengths-file, --ids-file and --texts-file, found several");
}

CallInput input_of(const ProfileOptions& options, const ModelInfo& info) {
  if (options.input.given() == 1) return options.input.read(info.vocabulary);
  return random_ids({static_cast<int>(std::min(kDefaultLength, info.positions))}, info.vocabulary);
}

/// Calls that are observed and calls that are not, in turn, with the peaks between them.
class ProfiledCalls {
 public:
  ProfiledCalls(const Model& model, const CallInput& input)
      : model_(model),
        input_(input),
        clock_(model),
        integers_(integer_peak(model.info().isa)),
        floats_(float_peak(model.info().isa)),
        linears_(peak_of(model.info())) {}

  void run(int rounds) {
    clock_.call(input_);
    sample_peaks();
    for (int i = 0; i < rounds; ++i) {
      milliseconds_.push_back(clock_.call(input_));
      sample_peaks();
      run_observed();
      sample_peaks();
    }
  }

  ProfileReport report() {
    const Peaks peaks{integers_.per_second(), floats_.per_second(), linears_.per_second()};
    ProfileReport report;
    report.rounds = static_cast<int>(milliseconds_.size());
    report.timing = timing_of(model_.info(), clock_.tokens(), milliseconds_, peaks.linears);
    add_lines(best_, *least_, peaks, report);
    return report;
  }

  /// The fastest of the calls that were observed.
  const StepProfile& best() const { return best_; }

 private:
  void sample_peaks() {
    integers_.sample(kPeakLoops);
    floats_.sample(kPeakLoops);
    linears_.sample(kPeakLoops);
  }

  void run_observed() {
    latest_.clear();
    latest_.call_ran(runtime::timed([&] { clock_.call(input_, &latest_); }));
    const CallTimes times = times_of(latest_, model_.info().threads);
    least_ = least_ ? least_of(*least_, times) : times;
    if (best_.events().empty() || latest_.call_seconds() < best_.call_seconds()) best_.take(latest_);
  }

  const Model& model_;
  const CallInput& input_;
  ModelClock clock_;
  BestPeak integers_, floats_, linears_;
  std::vector<double> milliseconds_;
  StepProfile latest_, best_;
  std::optional<CallTimes> least_;
};

void profile(ProfileOptions& options) {
  require_one_input(options);
  cli::OutputFile output("-");
  std::unique_ptr<cli::OutputFile> trace;
  if (!options.trace.empty()) trace = std::make_unique<cli::OutputFile>(options.trace);
  const Model model = options.model.load_model();
  const CallInput input = input_of(options, model.info());
  ProfiledCalls calls(model, input);
  calls.run(options.rounds);
  const ProfileReport report = calls.report();
  output.write(options.json ? json_line(report, model.info()) : table(report, model.info()));
  if (trace) {
    trace->write(chrome_trace(calls.best()));
    trace->finish();
  }
  output.finish();
}

}  // namespace

void add_profile(CLI::App& app) {
  auto options = std::make_shared<ProfileOptions>();
  CLI::App* command = app.add_subcommand(
      "profile",
      "Show where the time of a call goes: each step's time, speed and share of the machine's peak.");
  options->model.load.threads = 1;
  options->model.add_all(*command);
  options->input.add(*command);
  command->add_option("--rounds", options->rounds, "calls that are observed, and as many that are not")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print an object");
  command->add_option("--trace", options->trace,
                      "store the fastest observed call as a Chrome trace; https://ui.perfetto.dev opens it");
  command->footer(
      "Without an input: one sequence of 128 random ids.\n"
      "Example: nybble profile --lengths 16,32 --rounds 5 --trace trace.json");
  command->callback([options] { profile(*options); });
}

}  // namespace nybble::bench
