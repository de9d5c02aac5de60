// The command line of Nybble: see commands.h.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "nybble/nybble.h"

namespace {

constexpr int kFailed = 1, kUsage = 2;

int run(int argc, char** argv) {
  CLI::App app("Quantized transformer encoders on CPUs: a Hugging Face folder in, embeddings out.", "nybble");
  app.set_version_flag("--version", "nybble " + std::string(nybble::version()));
  app.require_subcommand(1);
  app.footer(
      "Example: nybble embed --format npy -o rows.npy texts.txt\nHelp of a command: nybble COMMAND --help");
  nybble::cli::add_embed(app);
  nybble::cli::add_tokenize(app);
  nybble::cli::add_similarity(app);
  nybble::cli::add_info(app);
  nybble::cli::add_explain(app);
  nybble::cli::add_isa(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "nybble: {}\n", error.what());
    return kUsage;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is seen as an error of write(), not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const nybble::cli::OutputClosed&) {
    return 0;
  } catch (const nybble::cli::UsageError& error) {
    fmt::print(stderr, "nybble: {}\n", error.what());
    return kUsage;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "nybble: out of memory\n");
    return kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "nybble: {}\n", error.what());
    return kFailed;
  }
}
