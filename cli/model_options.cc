#include "cli/model_options.h"

#include "cli/commands.h"

namespace nybble::cli {

void ModelOptions::add_model(CLI::App& command) {
  command.add_option(
      "--model", model,
      "a model folder, or org/name in the Hugging Face cache of this machine; else $NYBBLE_MODEL, else "
      "the default model");
}

void ModelOptions::add_plan(CLI::App& command) {
  add_model(command);
  command.add_option("--weights", weights, "f32 or int8")
      ->check(CLI::IsMember({"f32", "int8"}))
      ->capture_default_str();
  command.add_option("--threads", load.threads, "else as many as this process may use")
      ->check(CLI::Range(1, 1024));
  command.add_option("--isa", load.isa,
                     "force an instruction set (nybble isa lists them); else $NYBBLE_ISA, else the best");
}

void ModelOptions::add_all(CLI::App& command) {
  add_plan(command);
  command.add_option("--pooling", pooling, "mean or cls; else as the model says")
      ->check(CLI::IsMember({"mean", "cls"}));
  command.add_flag("--normalize,!--no-normalize", normalize,
                   "scale rows to length 1, or not; else as the model says");
  command
      .add_option("--max-tokens", load.max_tokens, "cut texts to this many tokens; else as the model says")
      ->check(CLI::PositiveNumber);
  command.add_option("--batch-tokens", load.batch_tokens, "tokens computed at a time")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
}

Model ModelOptions::load_model() {
  load.weights = weights == "f32" ? Weights::f32 : Weights::int8;
  if (!pooling.empty()) load.pooling = pooling == "cls" ? Pooling::cls : Pooling::mean;
  if (normalize != 0) load.normalize = normalize > 0;
  return Model::load(model, load);
}

}  // namespace nybble::cli
