#include "bench/model_timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "bench/peak.h"

namespace nybble::bench {
namespace {

constexpr int kPeakLoops = 5;

/// Multiply-adds of the linear layers a token.
double macs_per_token(const ModelInfo& info) {
  const auto hidden = static_cast<double>(info.hidden), inner = static_cast<double>(info.intermediate);
  return static_cast<double>(info.layers) * (4 * hidden * hidden + 2 * hidden * inner);
}

PeakLoop peak_of(const ModelInfo& info) {
  return info.weights == Weights::f32 ? float_peak(info.isa) : integer_peak(info.isa);
}

}  // namespace

ModelClock::ModelClock(const Model& model) : model_(model) {}

void ModelClock::warm_up(const CallInput& input) { call(input); }

ModelTiming ModelClock::time(const CallInput& input, int rounds) {
  std::vector<double> milliseconds;
  peak_ = 0;
  sample_peak();
  for (int i = 0; i < rounds; ++i) {
    milliseconds.push_back(call(input));
    sample_peak();
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const double best = milliseconds.front();
  const double macs_per_second = macs_per_token(model_.info()) * static_cast<double>(tokens_) / best * 1e3;
  return {.tokens = tokens_,
          .ms_best = best,
          .ms_median = milliseconds[milliseconds.size() / 2],
          .gmac_s = macs_per_second / 1e9,
          .peak_share = macs_per_second / (peak_ * model_.info().threads)};
}

double ModelClock::call(const CallInput& input) {
  using Clock = std::chrono::steady_clock;
  rows_.resize(input.rows() * model_.info().hidden);
  const std::vector<std::string_view> texts(input.texts.begin(), input.texts.end());
  const auto start = Clock::now();
  const EncodeReport done =
      texts.empty() ? model_.encode_ids(input.ids, input.cu_seqlens, rows_) : model_.encode(texts, rows_);
  const double milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  tokens_ = done.tokens;
  return milliseconds;
}

void ModelClock::sample_peak() {
  const PeakLoop loop = peak_of(model_.info());
  for (int i = 0; i < kPeakLoops; ++i) peak_ = std::max(peak_, loop.operations / seconds_of(loop));
}

std::string json_line(const ModelTiming& timing) {
  return fmt::format(
      "{{\"tokens\":{},\"ms_best\":{:.4f},\"ms_median\":{:.4f},\"gmac_s\":{:.2f},\"peak_share\":{:.4f}}}\n",
      timing.tokens, timing.ms_best, timing.ms_median, timing.gmac_s, timing.peak_share);
}

}  // namespace nybble::bench
