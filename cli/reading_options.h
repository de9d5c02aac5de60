// The options of commands that embed texts: what is put before them, and what becomes of long ones.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "nybble/nybble.h"

namespace nybble::cli {

/// Adds --truncate.
CLI::Option* add_truncate(CLI::App& command, std::string& truncate);
/// What it means.
Truncate truncate_of(const std::string& name);

struct ReadingOptions {
  std::string prompt, prompt_name, truncate = "right";
  CLI::Option* has_prompt = nullptr;  ///< an empty prompt is one, too
  std::size_t chunk = 0, overlap = 0;

  /// Adds --prompt, --prompt-name, --truncate, --chunk, --overlap.
  void add(CLI::App& command);
  EncodeOptions encode_options() const;
};

}  // namespace nybble::cli
