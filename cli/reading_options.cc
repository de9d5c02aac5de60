#include "cli/reading_options.h"

#include "cli/bracketed_argument.h"

namespace nybble::cli {

CLI::Option* add_truncate(CLI::App& command, std::string& truncate) {
  return command
      .add_option(
          "--truncate", truncate,
          "what becomes of texts that are too long: right or left leaves out that end of them, error stops")
      ->check(CLI::IsMember({"right", "left", "error"}))
      ->capture_default_str();
}

Truncate truncate_of(const std::string& name) {
  if (name == "error") return Truncate::error;
  return name == "left" ? Truncate::left : Truncate::right;
}

void ReadingOptions::add(CLI::App& command) {
  has_prompt = command.add_option("--prompt", prompt, "put this before each text");
  command
      .add_option(
          "--prompt-name", prompt_name,
          "put the model's prompt of this name before each text (nybble info lists them); else its default")
      ->excludes(has_prompt);
  auto* truncation = add_truncate(command, truncate);
  auto* window = command.add_option("--chunk", chunk,
                                    "embed a text in windows of up to this many tokens, and give their mean");
  window->check(CLI::Range(1, 1 << 24))->excludes(truncation);
  command.add_option("--overlap", overlap, "tokens that each window shares with the one before")
      ->check(CLI::Range(0, 1 << 24))
      ->needs(window)
      ->capture_default_str();
}

EncodeOptions ReadingOptions::encode_options() const {
  EncodeOptions options;
  if (has_prompt->count() > 0) options.prompt = as_given(prompt);
  if (!prompt_name.empty()) options.prompt_name = as_given(prompt_name);
  options.truncate = truncate_of(truncate);
  options.chunk = chunk;
  options.overlap = overlap;
  return options;
}

}  // namespace nybble::cli
