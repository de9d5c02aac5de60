// Times INT8 against FP32 on the same sequences, in interleaved rounds, and the load of the model.
//
//   int8_against_f32 [--model M] [--threads N] [--isa NAME] [--sequences N] [--length N] [--rounds N]
//
// Ids are random but fixed. Both results are compared before anything is timed. Prints the machine, the best
// and median milliseconds of a call, GMAC/s of the linear layers and their share of what a loop of nothing
// but the multiply instruction reached between the same rounds (times the threads), and the ratio. Times of
// one run may be compared, those of two may not: cores are shared and change speed.
#include <fmt/format.h>
#include <nybble/nybble.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "bench/peak.h"

namespace {

using nybble::bench::BestPeak;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  nybble::LoadOptions load;
  int sequences = 32, length = 128, rounds = 15;
};

struct Sequences {
  std::vector<std::int32_t> ids, borders;
};

Sequences random_sequences(const Options& options, std::size_t vocabulary) {
  std::mt19937 random(1);
  Sequences result{{}, {0}};
  for (int i = 0; i < options.sequences * options.length; ++i) {
    result.ids.push_back(static_cast<std::int32_t>(random() % vocabulary));
  }
  for (int i = 1; i <= options.sequences; ++i) result.borders.push_back(i * options.length);
  return result;
}

/// One model under test.
class Contender {
 public:
  Contender(const Options& options, nybble::Weights weights) : model_(load(options, weights)) {}

  const nybble::ModelInfo& info() const { return model_.info(); }
  std::span<const float> rows() const { return rows_; }

  void run(const Sequences& input) {
    rows_.resize((input.borders.size() - 1) * info().hidden);
    const auto start = Clock::now();
    model_.encode_ids(input.ids, input.borders, rows_);
    milliseconds_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  void forget_times() { milliseconds_.clear(); }
  double best() const { return *std::min_element(milliseconds_.begin(), milliseconds_.end()); }
  double median() const {
    std::vector<double> sorted = milliseconds_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
  /// Multiplications of the linear layers a token.
  double macs() const {
    const auto hidden = static_cast<double>(info().hidden), inner = static_cast<double>(info().intermediate);
    return static_cast<double>(info().layers) * (4 * hidden * hidden + 2 * hidden * inner);
  }

 private:
  static nybble::Model load(const Options& options, nybble::Weights weights) {
    nybble::LoadOptions with = options.load;
    with.weights = weights;
    return nybble::Model::load(options.model, with);
  }

  nybble::Model model_;
  std::vector<float> rows_;
  std::vector<double> milliseconds_;
};

double worst_cosine(const Contender& a, const Contender& b) {
  const std::size_t hidden = a.info().hidden;
  double worst = 1;
  for (std::size_t at = 0; at < a.rows().size(); at += hidden) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = at; i < at + hidden; ++i) {
      const double x = static_cast<double>(a.rows()[i]), y = static_cast<double>(b.rows()[i]);
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    worst = std::min(worst, ab / std::sqrt(aa * bb));
  }
  return worst;
}

void print_row(const char* name, const Contender& it, double tokens, const BestPeak& peak) {
  const double macs_per_second = it.macs() * tokens / it.best() * 1e3;
  const double share = macs_per_second / (peak.per_second() * it.info().threads);
  fmt::print("{:<5} {:>9.2f} {:>9.2f} {:>10.0f} {:>9.1f} {:>8.1f} % {:>9.3f}\n", name, it.best(), it.median(),
             tokens / it.best() * 1e3, macs_per_second / 1e9, 100 * share, it.info().load_seconds);
}

int compare(const Options& options) {
  Contender int8(options, nybble::Weights::int8), f32(options, nybble::Weights::f32);
  const Sequences input = random_sequences(options, int8.info().vocabulary);
  for (int i = 0; i < 2; ++i) {
    int8.run(input);
    f32.run(input);
  }
  const double cosine = worst_cosine(int8, f32);
  if (!(cosine > 0.95)) {
    fmt::print(stderr, "int8_against_f32: the results disagree: worst cosine {:.5f}\n", cosine);
    return 1;
  }
  int8.forget_times();
  f32.forget_times();
  BestPeak integers(nybble::bench::integer_peak(int8.info().isa)),
      floats(nybble::bench::float_peak(int8.info().isa));
  for (int i = 0; i < options.rounds; ++i) {
    integers.sample(1);
    int8.run(input);
    floats.sample(1);
    f32.run(input);
  }
  fmt::print("{}, {}, {} threads, {} sequences of {} tokens, {} rounds, worst cosine {:.5f}\n",
             nybble::machine().cpu, int8.info().isa, int8.info().threads, options.sequences, options.length,
             options.rounds, cosine);
  fmt::print("{:<5} {:>9} {:>9} {:>10} {:>9} {:>10} {:>9}\n", "", "best ms", "median ms", "tokens/s",
             "GMAC/s", "of peak", "load s");
  const double tokens = static_cast<double>(options.sequences) * options.length;
  print_row("f32", f32, tokens, floats);
  print_row("int8", int8, tokens, integers);
  fmt::print("int8 is {:.2f} times as fast (best of rounds; median {:.2f})\n", f32.best() / int8.best(),
             f32.median() / int8.median());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.load.threads = 1;
  CLI::App app("Times INT8 against FP32 on the same sequences, in interleaved rounds.");
  app.add_option("--model", options.model, "a model folder; else the default model");
  app.add_option("--threads", options.load.threads)->capture_default_str();
  app.add_option("--isa", options.load.isa);
  app.add_option("--sequences", options.sequences)->check(CLI::Range(1, 10000))->capture_default_str();
  app.add_option("--length", options.length)->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 10000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return compare(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "int8_against_f32: {}\n", error.what());
    return 1;
  }
}
