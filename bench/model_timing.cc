#include "bench/model_timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace nybble::bench {
namespace {

/// Multiply-adds of the linear layers a token.
double macs_per_token(const ModelInfo& info) {
  const auto hidden = static_cast<double>(info.hidden), inner = static_cast<double>(info.intermediate);
  return static_cast<double>(info.layers) * (4 * hidden * hidden + 2 * hidden * inner);
}

}  // namespace

PeakLoop peak_of(const ModelInfo& model) {
  if (model.weights == Weights::f32) return float_peak(model.isa);
  return integer_peak(model.isa, model.weights == Weights::int8 ? Multiplier::words : Multiplier::bytes);
}

ModelTiming timing_of(const ModelInfo& model, std::size_t tokens, std::vector<double>& milliseconds,
                      double peak) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const double best = milliseconds.front();
  const double macs_per_second = macs_per_token(model) * static_cast<double>(tokens) / best * 1e3;
  return {.tokens = tokens,
          .ms_best = best,
          .ms_median = milliseconds[milliseconds.size() / 2],
          .gmac_s = macs_per_second / 1e9,
          .peak_share = macs_per_second / (peak * model.threads)};
}

ModelClock::ModelClock(const Model& model) : model_(model) {}

ModelTiming ModelClock::time(const CallInput& input, int rounds) {
  std::vector<double> milliseconds;
  BestPeak peak(peak_of(model_.info()));
  peak.sample(kPeakLoops);
  for (int i = 0; i < rounds; ++i) {
    milliseconds.push_back(call(input));
    peak.sample(kPeakLoops);
  }
  return timing_of(model_.info(), tokens_, milliseconds, peak.per_second());
}

double ModelClock::call(const CallInput& input, runtime::StepObserver* observer) {
  using Clock = std::chrono::steady_clock;
  EncodeOptions options;
  options.observer = observer;
  rows_.resize(input.rows() * model_.info().dimensions);
  const std::vector<std::string_view> texts(input.texts.begin(), input.texts.end());
  const auto start = Clock::now();
  const EncodeReport done = texts.empty() ? model_.encode_ids(input.ids, input.cu_seqlens, rows_, {}, options)
                                          : model_.encode(texts, rows_, options);
  const double milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  tokens_ = done.tokens;
  return milliseconds;
}

std::string json_line(const ModelTiming& timing) {
  return fmt::format(
      "{{\"tokens\":{},\"ms_best\":{:.4f},\"ms_median\":{:.4f},\"gmac_s\":{:.2f},\"peak_share\":{:.4f}}}\n",
      timing.tokens, timing.ms_best, timing.ms_median, timing.gmac_s, timing.peak_share);
}

}  // namespace nybble::bench
