#include "cli/model_options.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "cli/bracketed_argument.h"
#include "cli/commands.h"

namespace nybble::cli {
namespace {

constexpr std::array<std::pair<Pooling, const char*>, 6> kPoolings = {
    {{Pooling::mean, "mean"},
     {Pooling::cls, "cls"},
     {Pooling::max, "max"},
     {Pooling::last, "last"},
     {Pooling::weighted_mean, "weighted-mean"},
     {Pooling::mean_sqrt_len, "mean-sqrt-len"}}};

std::vector<std::string> pooling_names() {
  std::vector<std::string> names;
  for (const auto& [ignored, name] : kPoolings) names.emplace_back(name);
  return names;
}

Pooling pooling_of(const std::string& name) {
  const auto found = std::find_if(kPoolings.begin(), kPoolings.end(),
                                  [&](const auto& pooling) { return name == pooling.second; });
  return found->first;
}

std::vector<std::string> weights_names() {
  std::vector<std::string> names;
  for (const Weights weights : kAllWeights) names.emplace_back(weights_name(weights));
  return names;
}

}  // namespace

std::string pooling_text(const std::vector<Pooling>& poolings) {
  std::string text;
  for (const Pooling pooling : poolings) {
    const auto found = std::find_if(kPoolings.begin(), kPoolings.end(),
                                    [&](const auto& known) { return known.first == pooling; });
    text += (text.empty() ? "" : " + ") + std::string(found->second);
  }
  return text.empty() ? "none" : text;
}

/// A name that cannot be used is a fault of the command line, not of the model.
void check_isa(const std::string& name) {
  if (name.empty()) return;
  ::unsetenv("NYBBLE_ISA");  // --isa goes before it, even where it is wrong
  std::string runnable;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.runnable && set.name == name) return;
    if (set.runnable) runnable += (runnable.empty() ? "" : ", ") + set.name;
  }
  throw UsageError("--isa: expected an instruction set that this CPU can run (" + runnable + "), found '" +
                   name + "'");
}

void ModelOptions::add_model(CLI::App& command) {
  command.add_option(
      "--model", model,
      "a model folder, or org/name in the Hugging Face cache of this machine; else $NYBBLE_MODEL, else "
      "the default model");
}

void ModelOptions::add_plan(CLI::App& command) {
  add_model(command);
  command.add_option("--weights", weights, "f32, int8, or with less accuracy int7, int6, int5, int4")
      ->check(CLI::IsMember(weights_names()))
      ->capture_default_str();
  command.add_option("--threads", load.threads, "else as many as this process may use")
      ->check(CLI::Range(1, 1024));
  command.add_option("--isa", load.isa,
                     "force an instruction set (nybble isa lists them); else $NYBBLE_ISA, else the best");
}

void ModelOptions::add_all(CLI::App& command) {
  add_plan(command);
  command
      .add_option(
          "--pooling", pooling,
          "mean, cls, max, last, weighted-mean or mean-sqrt-len, or several with commas between; else as the "
          "model says")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(pooling_names()));
  command
      .add_flag("--normalize,!--no-normalize", normalize,
                "scale rows to length 1, or not; else as the model says")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command
      .add_option("--dimensions", load.dimensions,
                  "cut rows to this many values, and normalize after that; else as the model says")
      ->check(CLI::Range(1, 1 << 24));
  command
      .add_option("--max-tokens", load.max_tokens, "cut texts to this many tokens; else as the model says")
      ->check(CLI::Range(1, 1 << 24));
  command
      .add_option("--batch-tokens", load.batch_tokens,
                  "tokens computed at a time; else 4096, or 1024 a thread where that is more")
      ->check(CLI::Range(1, 1 << 24));
}

std::string ModelOptions::name() const { return as_given(model); }

const LoadOptions& ModelOptions::checked() {
  check_isa(load.isa);
  load.weights = *std::find_if(std::begin(kAllWeights), std::end(kAllWeights),
                               [&](Weights it) { return weights_name(it) == weights; });
  load.pooling.clear();
  for (const std::string& name : pooling) load.pooling.push_back(pooling_of(name));
  if (normalize != 0) load.normalize = normalize > 0;
  return load;
}

Model ModelOptions::load_model() {
  const LoadOptions& options = checked();
  return Model::load(name(), options);
}

}  // namespace nybble::cli
