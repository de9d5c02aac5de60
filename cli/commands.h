// The subcommands of `nybble`, each in a file of its own. Data goes to stdout, everything else to stderr.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <stdexcept>

namespace nybble::cli {

/// The command line asks for what cannot be: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Each adds its subcommand, with help and a callback that does the work. The callbacks throw UsageError,
/// nybble::Error, or OutputClosed.
void add_embed(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_similarity(CLI::App& app);
void add_rerank(CLI::App& app);
void add_classify(CLI::App& app);
void add_ner(CLI::App& app);
void add_fill_mask(CLI::App& app);
void add_info(CLI::App& app);
void add_explain(CLI::App& app);
void add_isa(CLI::App& app);

}  // namespace nybble::cli
