// nybble fill-mask: what may stand in the masks of texts, one text a line.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/task_options.h"

namespace nybble::cli {
namespace {

// Lines computed together. Each keeps top_k texts for each mask until it is written.
constexpr std::size_t kBlock = 64;

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

std::vector<Masks> fill(const FillMaskOptions& options, const MaskFiller& filler, const TaskLines& source,
                        const std::vector<TaskLines::Line>& block, EncodeReport& done) {
  std::vector<std::string_view> texts;
  for (const TaskLines::Line& line : block) texts.push_back(line.text);
  try {
    return filler.fill(texts, options.top_k, options.task.encode_options(), &done);
  } catch (const Error& error) {
    throw with_line(error, source.lines().name(), [&](std::size_t i) { return block[i].number; });
  }
}

void fill_mask(FillMaskOptions& options) {
  TaskLines source(options.task);
  OutputFile output(options.task.output);
  const MaskFiller filler = MaskFiller::load(options.task.model.name(), options.task.model.checked());
  std::uint64_t cut = 0;
  for (auto block = source.next(kBlock); !block.empty(); block = source.next(kBlock)) {
    EncodeReport done;
    const std::vector<Masks> masks = fill(options, filler, source, block, done);
    for (std::size_t i = 0; i < block.size(); ++i) {
      output.write(options.task.is_json() ? json_line(block[i].number, masks[i])
                                          : text_lines(block[i].number, masks[i]));
    }
    cut += done.cut;
    if (done.invalid_parts > 0) source.count_invalid(done.invalid_parts, block[done.first_invalid].number);
  }
  output.finish();
  say_cut(cut, filler.info().max_tokens);
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
  options->task.add_lengths(*command);
  command->add_option("--top-k", options->top_k, "tokens for each mask")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command->footer(
      "Example: echo 'The [MASK] dumped core.' | nybble fill-mask --model path/to/language-model");
  command->callback([options] { fill_mask(*options); });
}

}  // namespace nybble::cli
