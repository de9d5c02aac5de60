// What a call is given, as the commands that time calls let one say it.
#pragma once

#include <string>

#include "bench/model_input.h"

namespace CLI {
class App;
}

namespace nybble::bench {

struct InputOptions {
  std::string lengths, lengths_file, ids_file, texts_file;

  void add(CLI::App& command);
  /// How many of the options are given.
  int given() const;
  /// The input; exactly one option is given. Throws cli::UsageError for lengths that are none, Error{io} and
  /// Error{bad_input} for what is wrong with a file.
  CallInput read(std::size_t vocabulary) const;
};

}  // namespace nybble::bench
