// The command line of Nybble: see commands.h.
#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>
#include <sstream>

#include "bench/commands.h"
#include "cli/bracketed_argument.h"
#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/output_file.h"
#include "nybble/nybble.h"

namespace {

using nybble::cli::say;

constexpr int kFailed = 1, kUsage = 2;

/// A file opened later must not take the place of a closed stdin, stdout or stderr. Reading stdin and writing
/// stdout still fail, as they should.
void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

void add_commands(CLI::App& app) {
  nybble::cli::add_embed(app);
  nybble::cli::add_tokenize(app);
  nybble::cli::add_similarity(app);
  nybble::cli::add_rerank(app);
  nybble::cli::add_classify(app);
  nybble::cli::add_ner(app);
  nybble::cli::add_fill_mask(app);
  nybble::cli::add_info(app);
  nybble::cli::add_explain(app);
  nybble::cli::add_isa(app);
  nybble::bench::add_bench(app);
}

/// What --help and --version print.
int print_help(const CLI::App& app, const CLI::Error& request) {
  std::ostringstream text;
  app.exit(request, text, text);
  nybble::cli::OutputFile output("-");
  output.write(text.str());
  output.finish();
  return 0;
}

std::string usage_sentence(const CLI::App& app, const CLI::Error& error) {
  const CLI::App* chosen = &app;
  std::string path = "nybble";
  while (!chosen->get_subcommands().empty()) {
    chosen = chosen->get_subcommands()[0];
    path += " " + chosen->get_name();
  }
  std::vector<std::string> names;
  for (const CLI::App* command : chosen->get_subcommands({})) names.push_back(command->get_name());
  if (names.empty()) return fmt::format("{} (see {} --help)", error.what(), path);
  const auto others = app.remaining(true);
  return fmt::format("expected a command ({}), found {} (see {} --help)", fmt::join(names, ", "),
                     others.empty() ? "none" : "'" + others[0] + "'", path);
}

int run(int argc, char** argv) {
  CLI::App app("Quantized transformer encoders on CPUs: a Hugging Face folder in, embeddings out.", "nybble");
  app.set_version_flag("--version", "nybble " + std::string(nybble::version()));
  app.require_subcommand(1);
  app.footer(
      "Example: nybble embed --format npy -o rows.npy texts.txt\nHelp of a command: nybble COMMAND --help");
  add_commands(app);
  try {
    app.parse(nybble::cli::reversed_arguments(argc, argv));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return print_help(app, error);
    say(usage_sentence(app, error));
    return kUsage;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  // A reader that goes away is seen as an error of write(), not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const nybble::cli::OutputClosed&) {
    return 0;
  } catch (const nybble::cli::UsageError& error) {
    say(error.what());
    return kUsage;
  } catch (const std::bad_alloc&) {
    nybble::cli::write_stderr("nybble: out of memory\n");
    return kFailed;
  } catch (const std::exception& error) {
    say(error.what());
    return kFailed;
  }
}
