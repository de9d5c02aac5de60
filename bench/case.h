// One thing to measure, and how: interleaved rounds under Google Benchmark.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/peak.h"
#include "bench/record.h"

namespace nybble::bench {

/// What runs in each round beside the call, and what is counted. Functions left empty are not measured. All
/// run on the calling thread, and must live until measure() returns.
struct Case {
  RecordKind kind = RecordKind::product;
  std::string kernel, isa, what;
  int m = 0, n = 0, k = 0, layers = 0;
  double macs = 0;          ///< multiply-adds of one call; 0: none
  double weight_bytes = 0;  ///< of packed weights, read by one call
  double bytes = 0;         ///< all that one call has to read and write
  double elements = 0;
  std::optional<PeakLoop> peak;
  /// Calls once and compares with the scalar set; returns what is wrong, or nothing.
  std::function<std::string()> verify;
  std::function<void()> call;
  std::function<void()> beside;  ///< a part of the call that does not count
  std::string beside_name;       ///< what the rest is told as a share of, if anything
  std::function<void()> onednn, onednn_f32;
  std::string onednn_name;
  std::vector<std::function<void()>> memory_readers;  ///< each reads memory_bytes; the fastest counts
  double memory_bytes = 0;
  double scalar_seconds = kNone;  ///< of the same work by the scalar set
};

/// Verifies, then times `rounds` rounds: the clock, the peak, the call, oneDNN. The best of each counts. A
/// wrong result gives a Record of kind `failure`.
Record measure(const Case& what, int rounds);

/// Seconds of one call now.
double seconds_of_call(const std::function<void()>& call);

}  // namespace nybble::bench
