// nybble rerank: which lines of a file answer a query.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/task_options.h"

namespace nybble::cli {
namespace {

struct RerankOptions {
  TaskOptions task;
  std::string query;
  std::size_t top_k = 0;
};

std::string line_of(const RerankOptions& options, const TaskLines::Line& line, float score) {
  if (!options.task.is_json()) return fmt::format("{:.4f}\t{}\t{}\n", score, line.number, column(line.text));
  return fmt::format("{{\"line\":{},\"score\":{},\"text\":{}}}\n", line.number, json_number(score),
                     json_string(line.text));
}

EncodeReport score(const RerankOptions& options, const Reranker& reranker, const TaskLines& source,
                   const std::vector<TaskLines::Line>& lines, std::span<const std::string_view> documents,
                   std::span<float> scores) {
  try {
    return reranker.score(options.query, documents, scores, {}, options.task.encode_options());
  } catch (const Error& error) {
    throw with_line(error, source.lines().name(), [&](std::size_t i) { return lines[i].number; });
  }
}

void rerank(RerankOptions& options) {
  TaskLines source(options.task);
  OutputFile output(options.task.output);
  const Reranker reranker = Reranker::load(options.task.model.name(), options.task.model.checked());
  const std::vector<TaskLines::Line> lines = source.next(static_cast<std::size_t>(-1));
  std::vector<std::string_view> documents;
  for (const TaskLines::Line& line : lines) documents.push_back(line.text);
  std::vector<float> scores(lines.size());
  const EncodeReport done = score(options, reranker, source, lines, documents, scores);
  for (const Ranked& rank : rank_scores(scores, options.top_k))
    output.write(line_of(options, lines[rank.index], rank.score));
  output.finish();
  say_cut(done.cut, reranker.info().max_tokens);
  if (done.invalid_parts > 0) source.count_invalid(done.invalid_parts, lines[done.first_invalid].number);
  source.say_invalid();
}

}  // namespace

void add_rerank(CLI::App& app) {
  auto options = std::make_shared<RerankOptions>();
  CLI::App* command = app.add_subcommand("rerank",
                                         "Order texts by how well they answer a query, with a cross-encoder: "
                                         "score, line number and text of each, "
                                         "the best first.");
  command->add_option("query", options->query, "what the texts are read with")->required();
  options->task.add(*command, "texts, one a line; - is standard input");
  options->task.add_lengths(*command);
  command->add_option("--top-k", options->top_k, "write the best so many; else all")
      ->check(CLI::Range(1, 1 << 30));
  command->footer(
      "Example: nybble rerank --model path/to/cross-encoder --top-k 5 'rotate log files' texts.txt");
  command->callback([options] { rerank(*options); });
}

}  // namespace nybble::cli
