// The options that every command with a model has.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "nybble/nybble.h"

namespace nybble::cli {

/// Throws UsageError where this CPU cannot run an instruction set of that name; an empty name is none. From
/// then on the environment forces none.
void check_isa(const std::string& name);

/// "cls + mean"; "none" where nothing is pooled.
std::string pooling_text(const std::vector<Pooling>& poolings);

struct ModelOptions {
  std::string model;
  std::string weights = "int8";
  std::vector<std::string> pooling;
  int normalize = 0;  ///< 1: --normalize, -1: --no-normalize, 0: as the model says
  LoadOptions load;

  /// Adds --model alone.
  void add_model(CLI::App& command);
  /// Adds --model, --weights, --threads, --isa.
  void add_plan(CLI::App& command);
  /// Adds those of add_plan and what changes the rows: --pooling, --normalize, --dimensions,
  /// --max-tokens, --batch-tokens.
  void add_all(CLI::App& command);

  /// The options for loading; throws UsageError as check_isa() does.
  const LoadOptions& checked();
  /// --model as it was given.
  std::string name() const;
  Model load_model();
};

}  // namespace nybble::cli
