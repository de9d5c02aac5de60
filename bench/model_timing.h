// Times calls of a loaded model beside the machine's peak.
#pragma once

#include <string>
#include <vector>

#include "bench/model_input.h"
#include "bench/peak.h"
#include "nybble/nybble.h"

namespace nybble::bench {

/// What the products of a model's linear layers are shares of.
PeakLoop peak_of(const ModelInfo& model);

struct ModelTiming {
  std::size_t tokens = 0;  ///< computed by a call
  double ms_best = 0, ms_median = 0;
  double gmac_s = 0;      ///< of the linear layers, in the best call
  double peak_share = 0;  ///< of gmac_s: in what a loop of nothing but the instruction reached between the
                          ///< rounds, times the threads
};

/// One call after another on this thread.
class ModelClock {
 public:
  explicit ModelClock(const Model& model);

  /// Encodes `input` once and tells `observer`, if there is one. Milliseconds. The first call makes
  /// workspaces and should not count.
  double call(const CallInput& input, runtime::StepObserver* observer = nullptr);
  ModelTiming time(const CallInput& input, int rounds);
  /// Of the last call: rows of info().dimensions floats.
  std::span<const float> rows() const { return rows_; }
  /// What the last call computed.
  std::size_t tokens() const { return tokens_; }

 private:
  const Model& model_;
  std::vector<float> rows_;
  std::size_t tokens_ = 0;
};

/// Of calls of `model` that took so long. `peak`: multiply-adds a second on one thread. Sorts `milliseconds`.
ModelTiming timing_of(const ModelInfo& model, std::size_t tokens, std::vector<double>& milliseconds,
                      double peak);

/// Runs of a peak loop between two calls: some 50 microseconds.
constexpr int kPeakLoops = 5;

/// {"tokens":…,"ms_best":…,"ms_median":…,"gmac_s":…,"peak_share":…} and the end of the line.
std::string json_line(const ModelTiming& timing);

}  // namespace nybble::bench
