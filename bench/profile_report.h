// What `nybble profile` says of a call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/model_timing.h"
#include "bench/step_profile.h"

namespace nybble::bench {

/// Multiply-adds a second that one thread could do.
struct Peaks {
  double integers = 0, floats = 0;
  double linears = 0;  ///< of the model's linear layers: of integers, of fewer bits, or of floats
};

/// What steps did. Times are sums over threads, speeds those of one thread while it is in the step.
struct StepCost {
  int tasks = 0;
  double seconds = 0;
  double share = 0;  ///< of ProfileReport::thread_seconds
  double macs = 0;
  double peak_macs = 0;  ///< that the peak would have made in `seconds`
  double bytes = 0;      ///< that must be read or written: weights once a batch, rows once each

  double gmac_s() const { return seconds > 0 ? macs / seconds / 1e9 : 0; }
  double peak_share() const { return peak_macs > 0 ? macs / peak_macs : 0; }
  double gb_s() const { return seconds > 0 ? bytes / seconds / 1e9 : 0; }
  StepCost& operator+=(const StepCost& other);
};

/// One step of the plan.
struct StepLine {
  int number = 0, stage = 0;  ///< as `nybble explain` counts them, from 1
  runtime::StageKind stage_kind = runtime::StageKind::rows;
  const runtime::StepDescription* step = nullptr;
  StepCost cost;
};

/// Steps with the same op, shape and kernel: one in each layer.
struct OpLine {
  int steps = 0;
  const runtime::StepDescription* step = nullptr;  ///< the first
  StepCost cost;
};

/// Steps of one kind, or what is no step.
struct KindLine {
  std::string_view kind;
  double seconds = 0, share = 0;
};

struct ProfileReport {
  ModelTiming timing;  ///< of calls that nobody observed
  Peaks peaks;
  int rounds = 0;
  WorkDone work;
  double observed_seconds = 0;  ///< of the fastest call that was observed
  double thread_seconds = 0;    ///< all kinds together: the time of an undisturbed call × threads
  std::vector<StepLine> steps;
  std::vector<OpLine> ops;  ///< the steps, in the order of the first of each
  std::vector<KindLine> kinds;
};

/// "products", "attention", …: the kind of a step by its op.
std::string_view kind_of(const runtime::StepDescription& step);

/// Fills in all but timing and rounds. `call` is the fastest that was observed, `least` the least times of
/// all.
void add_lines(const StepProfile& call, const CallTimes& least, const Peaks& peaks, ProfileReport& report);

std::string table(const ProfileReport& report, const ModelInfo& model);
/// One object and the end of the line.
std::string json_line(const ProfileReport& report, const ModelInfo& model);

}  // namespace nybble::bench
