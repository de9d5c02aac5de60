// What the commands of tasks share: options, the lines that they read, and how they write.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/messages.h"
#include "cli/model_options.h"
#include "cli/text_lines.h"
#include "nybble/tasks.h"

namespace nybble::cli {

struct TaskOptions {
  ModelOptions model;
  std::string format = "text", output, input = "-", field, truncate = "right";

  /// Adds --model, --weights, --threads, --isa, --field, --format, -o and the file; `texts` says what its
  /// lines are.
  void add(CLI::App& command, const char* texts);
  /// Adds --max-tokens and --truncate, and gives the latter.
  CLI::Option* add_lengths(CLI::App& command);
  EncodeOptions encode_options() const;

  bool is_json() const { return format == "jsonl"; }
};

/// Lines of a file, each a text or, with --field, a JSON object that has one.
class TaskLines {
 public:
  /// `pair_field`: the field of a pair's other text, else empty.
  explicit TaskLines(const TaskOptions& options, const std::string& pair_field = {});

  struct Line {
    std::string text, other;
    std::uint64_t number = 0;
  };
  /// Up to `most` lines; none at the end.
  std::vector<Line> next(std::size_t most);

  const TextLines& lines() const { return lines_; }
  /// Notes what was no UTF-8 in texts that nybble.h's functions read: `parts`, the first in line `number`.
  void count_invalid(std::uint64_t parts, std::uint64_t number) { invalid_.count(parts, number); }
  void say_invalid() const { cli::say_invalid(invalid_, lines_.name(), "line"); }

 private:
  TextLines lines_;
  std::unique_ptr<JsonField> field_, pair_field_;
  InvalidText invalid_;
};

/// A JSON string; what is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
/// As short as it can be and still the same float; null for what is not finite.
std::string json_number(float value);
/// One column of a line of text: tabs, line ends and other control characters become blanks.
std::string column(std::string_view text);

}  // namespace nybble::cli
