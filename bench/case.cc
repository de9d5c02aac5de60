#include "bench/case.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

namespace nybble::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough for the clock's steps of some ten nanoseconds, short enough that a round sees one core speed.
constexpr double kRoundSeconds = 5e-4;
constexpr double kCaseSeconds = 1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A function that is called in every round, as often as fills kRoundSeconds.
class Timed {
 public:
  explicit Timed(const std::function<void()>& call) : call_(call) {
    if (!call_) return;
    estimate_ = std::max(seconds_of_call(call_), 1e-9);
    if (estimate_ < kRoundSeconds) estimate_ = std::max(seconds_of_call(call_), 1e-9);  // the first was cold
    repeats_ = std::clamp(static_cast<int>(kRoundSeconds / estimate_), 1, 1000000);
    if (repeats_ == 1) best_ = estimate_;
  }
  /// Returns the seconds of one call; 0 where there is none.
  double round() {
    if (!call_) return 0;
    if (estimate_ < kRoundSeconds) call_();  // what ran before has taken the caches
    const auto start = Clock::now();
    for (int i = 0; i < repeats_; ++i) call_();
    const double seconds = seconds_since(start) / repeats_;
    best_ = std::min(best_, seconds);
    return seconds;
  }
  /// NaN where there is none.
  double best() const { return call_ ? best_ : kNone; }
  /// What a round takes.
  double seconds() const { return call_ ? estimate_ * repeats_ : 0; }

 private:
  std::function<void()> call_;
  double estimate_ = 0, best_ = 1e9;
  int repeats_ = 0;
};

/// The best of several that do the same.
class TimedAll {
 public:
  double seconds() const {
    double sum = 0;
    for (const Timed& one : each_) sum += one.seconds();
    return sum;
  }
  explicit TimedAll(const std::vector<std::function<void()>>& calls) : each_(calls.begin(), calls.end()) {}
  void round() {
    for (Timed& one : each_) one.round();
  }
  double best() const {
    double best = kNone;
    for (const Timed& one : each_) best = std::fmin(best, one.best());
    return best;
  }

 private:
  std::vector<Timed> each_;
};

/// The best that a peak loop reached in any round.
class TimedPeak {
 public:
  explicit TimedPeak(std::optional<PeakLoop> loop) : loop_(loop) {}
  void round() {
    if (loop_) seconds_ = std::min(seconds_, seconds_of(*loop_));
  }
  double per_second() const { return loop_ ? loop_->operations / seconds_ : kNone; }

 private:
  std::optional<PeakLoop> loop_;
  double seconds_ = 1e9;
};

/// Keeps a benchmark's counters, by which results leave Google Benchmark.
class Keep : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) counters_ = run.counters;
  }
  double operator[](const char* name) const {
    const auto found = counters_.find(name);
    return found == counters_.end() ? kNone : found->second.value;
  }

 private:
  benchmark::UserCounters counters_;
};

/// All that takes part in the rounds of a case.
struct Contest {
  TimedPeak clock, peak;
  Timed call, onednn, onednn_f32, beside;
  TimedAll readers;

  explicit Contest(const Case& what)
      : clock(clock_cycles()),
        peak(what.peak),
        call(what.call),
        onednn(what.onednn),
        onednn_f32(what.onednn_f32),
        beside(what.beside),
        readers(what.memory_readers) {}

  /// Large calls get fewer rounds: no case takes much longer than kCaseSeconds, but for very slow ones.
  int affordable(int rounds) const {
    const double round =
        call.seconds() + onednn.seconds() + onednn_f32.seconds() + beside.seconds() + readers.seconds();
    return std::clamp(static_cast<int>(kCaseSeconds / round), std::min(rounds, 2), rounds);
  }
  void run(benchmark::State& state) {
    for (auto _ : state) {
      clock.round();
      peak.round();
      state.SetIterationTime(call.round());
      onednn.round();
      onednn_f32.round();
      beside.round();
      readers.round();
      peak.round();
    }
    state.counters["seconds"] = call.best() - (std::isnan(beside.best()) ? 0 : beside.best());
    state.counters["beside"] = beside.best();
    state.counters["onednn"] = onednn.best();
    state.counters["onednn_f32"] = onednn_f32.best();
    state.counters["reader"] = readers.best();
    state.counters["peak"] = peak.per_second();
    state.counters["hertz"] = clock.per_second();
  }
};

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view text) {
  std::memcpy(to, text.data(), std::min(text.size(), N - 1));
}

Record identity(const Case& what) {
  Record record;
  record.kind = what.kind;
  copy_text(record.kernel, what.kernel);
  copy_text(record.isa, what.isa);
  copy_text(record.what, what.what);
  copy_text(record.onednn, what.onednn_name);
  copy_text(record.beside, what.beside_name);
  if (what.peak) copy_text(record.peak_unit, what.peak->instruction);
  record.m = what.m, record.n = what.n, record.k = what.k, record.layers = what.layers;
  return record;
}

Record failure(const Case& what, const std::string& wrong) {
  Record record = identity(what);
  record.kind = RecordKind::failure;
  copy_text(record.sentence, fmt::format("{} on {}, {}: {}", what.kernel, what.isa, what.what, wrong));
  return record;
}

}  // namespace

double seconds_of_call(const std::function<void()>& call) {
  const auto start = Clock::now();
  call();
  return seconds_since(start);
}

Record measure(const Case& what, int rounds) {
  const std::string wrong = what.verify();
  if (!wrong.empty()) return failure(what, wrong);
  Contest contest(what);
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark(what.kernel.c_str(), [&](benchmark::State& state) { contest.run(state); })
      ->UseManualTime()
      ->Iterations(contest.affordable(rounds));
  Keep result;
  benchmark::RunSpecifiedBenchmarks(&result, std::string("."));
  Record record = identity(what);
  const double seconds = result["seconds"], hertz = result["hertz"];
  if (what.macs > 0) {
    record.gmac_s = what.macs / seconds * 1e-9;
    record.mac_per_cycle = what.macs / (seconds * hertz);
    record.peak_gmac_s = result["peak"] * 1e-9;
    record.peak_share = record.gmac_s / record.peak_gmac_s;
    record.macs_per_byte = what.macs / what.bytes;
  }
  if (what.weight_bytes > 0) record.weight_gb_s = what.weight_bytes / seconds * 1e-9;
  if (what.elements > 0) {
    record.cycles_per_element = seconds * hertz / what.elements;
    record.gb_s = what.bytes / seconds * 1e-9;
  }
  record.vs_onednn = result["onednn"] / seconds;
  record.vs_onednn_f32 = result["onednn_f32"] / seconds;
  record.vs_scalar = what.scalar_seconds / seconds;
  if (!what.beside_name.empty()) record.beside_share = seconds / result["beside"];
  record.bandwidth_gb_s = what.memory_bytes / result["reader"] * 1e-9;
  record.gigahertz = hertz * 1e-9;
  return record;
}

}  // namespace nybble::bench
