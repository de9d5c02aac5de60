// nybble info: what a model is and how Nybble would run it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output_file.h"
#include "nybble/tasks.h"

namespace nybble::cli {
namespace {

std::string left_over(const ModelInfo& info) {
  std::string text;
  if (info.tokenizer_truncation) text += fmt::format("truncation to {}", *info.tokenizer_truncation);
  if (info.tokenizer_padding)
    text += fmt::format("{}padding to {}", text.empty() ? "" : ", ", *info.tokenizer_padding);
  return text.empty() ? "none" : text + " (left over in tokenizer.json, not applied)";
}

std::string output_text(const ModelInfo& info) {
  const char* rows =
      info.output == Output::sparse         ? "a sparse row a text: weights of the vocabulary's {} tokens"
      : info.output == Output::multi_vector ? "a row of {} values for each token that is compared"
      : info.output == Output::tokens       ? "a row of {} values a token"
                                            : "a row of {} values a text";
  return fmt::format(fmt::runtime(rows), info.dimensions);
}

/// Prompts are quoted: blanks at their ends count.
std::string prompt_text(const ModelInfo& info, const std::string& name, const std::string& prompt) {
  const std::string quoted =
      nlohmann::json(prompt).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return fmt::format("{}: {}{}", name, quoted, name == info.default_prompt ? " (the default)" : "");
}

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

std::string names(const std::vector<Task>& tasks) {
  std::string text;
  for (const Task task : tasks) text += (text.empty() ? "" : ", ") + std::string(task_name(task));
  return text;
}

bool embeds(const std::vector<Task>& tasks) {
  return std::find(tasks.begin(), tasks.end(), Task::embed) != tasks.end();
}

std::string describe(const ModelInfo& info, const std::vector<Task>& tasks) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<20} {}\n", name, value);
  };
  line("model", info.folder);
  line("architecture", info.family);
  line("tasks", names(tasks));
  line("layers", fmt::format("{}, hidden {}, heads {}, intermediate {}, activation {}", info.layers,
                             info.hidden, info.heads, info.intermediate, info.activation));
  line("tokenizer", fmt::format("{}, {} tokens ({} rows in the word table)", info.tokenizer,
                                info.tokenizer_vocabulary, info.vocabulary));
  line("tokenizer state", left_over(info));
  line("longest text", fmt::format("{} tokens, by {}", info.max_tokens, info.max_tokens_source));
  line("positions", fmt::format("{}", info.positions));
  if (embeds(tasks)) line("output", output_text(info));
  if (embeds(tasks)) line("pooling", pooling_text(info.pooling));
  if (!info.modules.empty()) line("modules", fmt::format("{}", fmt::join(info.modules, "; ")));
  if (embeds(tasks)) line("normalize", info.normalize ? "yes" : "no");
  for (const auto& [name, prompt] : info.prompts) line("prompt", prompt_text(info, name, prompt));
  std::string formats;
  for (const Weights weights : kAllWeights) {
    formats += formats.empty() ? "" : ", ";
    formats += weights_name(weights);
  }
  line("formats", formats);
  line("weights",
       fmt::format("{}: linears {:.1f} MB, tables {:.1f} MB; files {:.1f} MB", weights_name(info.weights),
                   megabytes(info.linear_bytes), megabytes(info.table_bytes), megabytes(info.file_bytes)));
  line("instruction set", info.isa);
  line("threads", info.numa_nodes > 1 ? fmt::format("{} on {} NUMA nodes", info.threads, info.numa_nodes)
                                      : fmt::format("{}", info.threads));
  line("bits", info.bits);
  line("loaded in",
       fmt::format("{:.3f} s (tokenizer {:.3f}, graph {:.3f}, weights {:.3f})", info.load_seconds,
                   info.tokenizer_seconds, info.graph_seconds, info.plan_seconds));
  return text;
}

}  // namespace

void add_info(CLI::App& app) {
  auto options = std::make_shared<ModelOptions>();
  CLI::App* command = app.add_subcommand(
      "info", "Show a model: architecture, sizes, tokenizer, lengths, pooling, formats, bits.");
  options->add_plan(*command);
  command->footer("Example: nybble info --model path/to/model");
  command->callback([options] {
    OutputFile output("-");
    const std::vector<Task> tasks = tasks_of(options->name());
    // A folder that serves no embeddings is loaded with its head.
    output.write(embeds(tasks)
                     ? describe(options->load_model().info(), tasks)
                     : describe(Classifier::load(options->name(), options->checked()).info(), tasks));
    output.finish();
  });
}

}  // namespace nybble::cli
