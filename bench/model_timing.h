// Times calls of a loaded model beside the machine's peak.
#pragma once

#include <string>
#include <vector>

#include "bench/model_input.h"
#include "nybble/nybble.h"

namespace nybble::bench {

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

  /// Encodes `input` once, untimed: the first call makes workspaces.
  void warm_up(const CallInput& input);
  ModelTiming time(const CallInput& input, int rounds);
  /// Of the last call: rows of info().hidden floats.
  std::span<const float> rows() const { return rows_; }

 private:
  /// Milliseconds.
  double call(const CallInput& input);
  void sample_peak();

  const Model& model_;
  std::vector<float> rows_;
  std::size_t tokens_ = 0;
  double peak_ = 0;  ///< multiply-adds a second on one thread
};

/// {"tokens":…,"ms_best":…,"ms_median":…,"gmac_s":…,"peak_share":…} and the end of the line.
std::string json_line(const ModelTiming& timing);

}  // namespace nybble::bench
