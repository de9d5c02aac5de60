#include "cli/task_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/reading_options.h"

namespace nybble::cli {

void TaskOptions::add(CLI::App& command, const char* texts) {
  model.add_plan(command);
  command.add_option("--field", field, "each line is a JSON object; the text is the string in this field");
  command
      .add_option("--format", format, "text, in columns with tabs between, or jsonl, a JSON object a line")
      ->check(CLI::IsMember({"text", "jsonl"}))
      ->capture_default_str();
  command.add_option("-o,--output", output,
                     "else standard output; a regular file is replaced when it is whole");
  command.add_option("file", input, texts)->capture_default_str();
}

CLI::Option* TaskOptions::add_lengths(CLI::App& command) {
  command
      .add_option("--max-tokens", model.load.max_tokens,
                  "cut texts to this many tokens; else as the model says")
      ->check(CLI::Range(1, 1 << 24));
  return add_truncate(command, truncate);
}

EncodeOptions TaskOptions::encode_options() const {
  EncodeOptions options;
  options.truncate = truncate_of(truncate);
  return options;
}

TaskLines::TaskLines(const TaskOptions& options, const std::string& pair_field)
    : lines_(options.input),
      field_(options.field.empty() ? nullptr : std::make_unique<JsonField>(options.field)),
      pair_field_(pair_field.empty() ? nullptr : std::make_unique<JsonField>(pair_field)) {}

std::vector<TaskLines::Line> TaskLines::next(std::size_t most) {
  std::vector<Line> block;
  std::string text;
  while (block.size() < most && lines_.next(text)) {
    Line line;
    line.number = lines_.line_number();
    if (!field_) {
      line.text = std::move(text);
    } else {
      if (auto repaired = repair_utf8(text)) {
        invalid_.count(repaired->invalid_parts, line.number);
        text = std::move(repaired->text);
      }
      line.text = field_->of(text, lines_);
      if (pair_field_) line.other = pair_field_->of(text, lines_);
    }
    block.push_back(std::move(line));
  }
  return block;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_number(float value) {
  if (!std::isfinite(value)) return "null";
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

std::string column(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }, ' ');
  return result;
}

}  // namespace nybble::cli
