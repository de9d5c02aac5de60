// nybble fill-mask: what may stand in the masks of texts, one text a line.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/task_options.h"

namespace nybble::cli {
namespace {

struct FillMaskOptions {
  TaskOptions task;
  std::size_t top_k = 5;
};

using Masks = std::vector<std::vector<Filling>>;

std::string json_line(std::uint64_t number, const Masks& masks) {
  std::string lists;
  for (const std::vector<Filling>& fillings : masks) {
    std::string list;
    for (const Filling& filling : fillings) {
      list += fmt::format("{}{{\"token\":{},\"id\":{},\"score\":{},\"text\":{}}}", list.empty() ? "" : ",",
                          json_string(filling.token), filling.id, json_number(filling.score),
                          json_string(filling.sequence));
    }
    lists += (lists.empty() ? "[" : ",[") + list + "]";
  }
  return fmt::format("{{\"line\":{},\"masks\":[{}]}}\n", number, lists);
}

std::string text_lines(std::uint64_t number, const Masks& masks) {
  std::string text;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    for (const Filling& filling : masks[i]) {
      text += fmt::format("{}\t{}\t{:.4f}\t{}\t{}\n", number, i + 1, filling.score, column(filling.token),
                          column(filling.sequence));
    }
  }
  return text;
}

/// The library counts the texts of a call; here they are lines.
Masks fill(const MaskFiller& filler, const TaskLines& source, const TaskLines::Line& line,
           std::size_t top_k) {
  const std::string_view text = line.text;
  try {
    return filler.fill({&text, 1}, top_k)[0];
  } catch (const Error& error) {
    const std::string_view sentence = error.what(), prefix = "text 0: ";
    if (!sentence.starts_with(prefix)) throw;
    throw Error(error.code(), fmt::format("{}: line {}: {}", source.lines().name(), line.number,
                                          sentence.substr(prefix.size())));
  }
}

void fill_mask(FillMaskOptions& options) {
  TaskLines source(options.task);
  OutputFile output(options.task.output);
  const MaskFiller filler = MaskFiller::load(options.task.model.name(), options.task.model.checked());
  for (auto block = source.next(1); !block.empty(); block = source.next(1)) {
    if (const auto repaired = repair_utf8(block[0].text))
      source.count_invalid(repaired->invalid_parts, block[0].number);
    const Masks masks = fill(filler, source, block[0], options.top_k);
    output.write(options.task.is_json() ? json_line(block[0].number, masks)
                                        : text_lines(block[0].number, masks));
  }
  output.finish();
  source.say_invalid();
}

}  // namespace

void add_fill_mask(CLI::App& app) {
  auto options = std::make_shared<FillMaskOptions>();
  CLI::App* command = app.add_subcommand(
      "fill-mask",
      "Fill the masks of texts, one text a line: line number, mask, score, token and filled text of the "
      "likeliest tokens. Masks are written as the model's tokenizer has them: [MASK] or <mask>.");
  options->task.add(*command, "texts with masks, one a line; - is standard input");
  command->add_option("--top-k", options->top_k, "tokens for each mask")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command->footer(
      "Example: echo 'The [MASK] dumped core.' | nybble fill-mask --model path/to/language-model");
  command->callback([options] { fill_mask(*options); });
}

}  // namespace nybble::cli
