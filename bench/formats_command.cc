// nybble bench formats: how fast and how close to FP32 a model is with each format of weights.
#include "bench/formats_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/input_options.h"
#include "bench/model_timing.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"

namespace nybble::bench {
namespace {

struct FormatsOptions {
  cli::ModelOptions model;
  InputOptions input;
  std::vector<std::string> formats;
  int rounds = 20;
  bool json = false;
};

/// One format of weights, and its calls.
class Contender {
 public:
  Contender(cli::ModelOptions options, const std::string& weights)
      : model_(load(options, weights)), clock_(model_), peak_(peak_of(model_.info())) {}

  const ModelInfo& info() const { return model_.info(); }
  std::span<const float> rows() const { return clock_.rows(); }
  void warm_up(const CallInput& input) { clock_.call(input); }
  void run(const CallInput& input) {
    peak_.sample(kPeakLoops);
    milliseconds_.push_back(clock_.call(input));
  }
  ModelTiming timing() { return timing_of(info(), clock_.tokens(), milliseconds_, peak_.per_second()); }

 private:
  static Model load(cli::ModelOptions& options, const std::string& weights) {
    options.weights = weights;
    return options.load_model();
  }

  Model model_;
  ModelClock clock_;
  BestPeak peak_;
  std::vector<double> milliseconds_;
};

/// Cosines of rows to those of FP32.
struct Closeness {
  double mean, standard_error, hundredth, worst;  ///< `hundredth`: one row of a hundred is below
};

double cosine(const float* a, const float* b, std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa == 0 && bb == 0 ? 1 : ab / std::sqrt(aa * bb);
}

Closeness closeness_of(const Contender& it, const Contender& f32, std::size_t rows) {
  const std::size_t columns = it.rows().size() / rows;
  std::vector<double> cosines;
  for (std::size_t i = 0; i < rows; ++i)
    cosines.push_back(cosine(it.rows().data() + i * columns, f32.rows().data() + i * columns, columns));
  std::sort(cosines.begin(), cosines.end());
  if (std::isnan(cosines.front()) || std::isnan(cosines.back())) {
    throw Error(ErrorCode::bad_input, "bench formats: expected rows of numbers, found NaN or infinity");
  }
  double sum = 0, squares = 0;
  for (const double value : cosines) sum += value;
  const double count = static_cast<double>(rows), mean = sum / count;
  for (const double value : cosines) squares += (value - mean) * (value - mean);
  const double error = rows > 1 ? std::sqrt(squares / (count - 1) / count) : 0;
  return {mean, error, cosines[rows / 100], cosines.front()};
}

std::string table_head(const Contender& f32, const CallInput& input, int rounds, std::size_t tokens) {
  return fmt::format(
      "{}, {}, {} thread(s), {} sequence(s), {} tokens, {} rounds\n"
      "{:<6} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9} {:>7} {:>8}   cosine to f32: mean ± standard error, 1 % "
      "below, worst\n",
      machine().cpu, f32.info().isa, f32.info().threads, input.rows(), tokens, rounds, "", "best ms",
      "median", "x f32", "GMAC/s", "of peak", "linears", "load s", "tokens/s");
}

std::string table_row(const Contender& it, const ModelTiming& timing, double f32_ms,
                      const Closeness& closeness) {
  return fmt::format(
      "{:<6} {:>9.3f} {:>9.3f} {:>8.2f} {:>8.1f} {:>7.1f} % {:>6.1f} MB {:>7.3f} {:>8.0f}   {:.5f} ± {:.5f}, "
      "{:.4f}, {:.4f}\n",
      weights_name(it.info().weights), timing.ms_best, timing.ms_median, f32_ms / timing.ms_best,
      timing.gmac_s, 100 * timing.peak_share, static_cast<double>(it.info().linear_bytes) / 1e6,
      it.info().load_seconds, static_cast<double>(timing.tokens) / timing.ms_best * 1e3, closeness.mean,
      closeness.standard_error, closeness.hundredth, closeness.worst);
}

std::string json_row(const Contender& it, const ModelTiming& timing, std::size_t rows,
                     const Closeness& closeness) {
  const nlohmann::ordered_json line = {{"weights", weights_name(it.info().weights)},
                                       {"isa", it.info().isa},
                                       {"threads", it.info().threads},
                                       {"sequences", rows},
                                       {"tokens", timing.tokens},
                                       {"ms_best", timing.ms_best},
                                       {"ms_median", timing.ms_median},
                                       {"gmac_s", timing.gmac_s},
                                       {"peak_share", timing.peak_share},
                                       {"linear_bytes", it.info().linear_bytes},
                                       {"load_s", it.info().load_seconds},
                                       {"cosine_mean", closeness.mean},
                                       {"cosine_standard_error", closeness.standard_error},
                                       {"cosine_hundredth", closeness.hundredth},
                                       {"cosine_worst", closeness.worst}};
  return line.dump() + "\n";
}

void bench_formats(const FormatsOptions& options) {
  if (options.input.given() != 1) {
    throw cli::UsageError(
        fmt::format("expected one of --lengths, --lengths-file, --ids-file and --texts-file, found {}",
                    options.input.given() == 0 ? "none" : "several"));
  }
  std::vector<std::unique_ptr<Contender>> contenders;
  contenders.push_back(std::make_unique<Contender>(options.model, "f32"));
  for (const std::string& name : options.formats)
    contenders.push_back(std::make_unique<Contender>(options.model, name));
  const Contender& f32 = *contenders.front();
  const CallInput input = options.input.read(f32.info().vocabulary);
  cli::OutputFile output("-");
  for (const auto& it : contenders) it->warm_up(input);
  for (int i = 0; i < options.rounds; ++i) {
    for (const auto& it : contenders) it->run(input);
  }
  const ModelTiming reference = contenders.front()->timing();
  if (!options.json) output.write(table_head(f32, input, options.rounds, reference.tokens));
  for (const auto& it : contenders) {
    const Closeness closeness = closeness_of(*it, f32, input.rows());
    const ModelTiming timing = it->timing();
    output.write(options.json ? json_row(*it, timing, input.rows(), closeness)
                              : table_row(*it, timing, reference.ms_best, closeness));
  }
  output.finish();
}

std::vector<std::string> integer_formats() {
  std::vector<std::string> names;
  for (const Weights weights : kAllWeights) {
    if (weights != Weights::f32) names.emplace_back(weights_name(weights));
  }
  return names;
}

}  // namespace

void add_formats(CLI::App& bench) {
  auto options = std::make_shared<FormatsOptions>();
  CLI::App* command = bench.add_subcommand(
      "formats",
      "Compare the formats of weights on the same input: their speed, in rounds in turn, and how "
      "close each is to FP32.");
  options->model.load.threads = 1;
  options->model.add_all(*command);
  command->remove_option(command->get_option("--weights"));
  options->formats = integer_formats();
  command->add_option("--weights", options->formats, "formats between commas, beside f32")
      ->delimiter(',')
      ->check(CLI::IsMember(integer_formats()))
      ->capture_default_str();
  options->input.add(*command);
  command->add_option("--rounds", options->rounds, "calls of each that are timed, after one that is not")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "an object a format");
  command->footer("Example: nybble bench formats --weights int8,int4 --lengths 16,32 --rounds 5");
  command->callback([options] { bench_formats(*options); });
}

}  // namespace nybble::bench
