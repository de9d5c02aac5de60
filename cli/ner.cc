// nybble ner: the entities of texts, one text a line.
#include <fmt/format.h>

#include <array>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/reading_options.h"
#include "cli/task_options.h"

namespace nybble::cli {
namespace {

// Texts computed together. Each keeps a score for each token and label until its entities are made.
constexpr std::size_t kBlock = 256;
constexpr std::array kAggregations = {"none", "simple", "first", "average", "max"};

struct NerOptions {
  TaskOptions task;
  std::string aggregation = "simple";
  std::vector<std::string> ignored = {"O"};
  std::size_t chunk = 0;
  std::optional<std::size_t> overlap;
  CLI::Option* has_truncate = nullptr;
};

EntityOptions entity_options(const NerOptions& options) {
  EntityOptions result;
  for (std::size_t i = 0; i < kAggregations.size(); ++i) {
    if (kAggregations[i] == options.aggregation) result.aggregation = static_cast<Aggregation>(i);
  }
  result.ignored_labels = options.ignored;
  result.window = options.chunk;
  result.overlap = options.overlap;
  if (options.has_truncate->count() > 0) result.truncate = truncate_of(options.task.truncate);
  return result;
}

std::string json_of(const Entity& entity) {
  return fmt::format(
      "{{\"label\":{},\"score\":{},\"word\":{},\"start\":{},\"end\":{},\"byte_start\":{},\"byte_end\":{}}}",
      json_string(entity.label), json_number(entity.score), json_string(entity.word), entity.char_begin,
      entity.char_end, entity.byte_begin, entity.byte_end);
}

std::string json_line(const TaskLines::Line& line, const std::vector<Entity>& entities) {
  std::string list;
  for (const Entity& entity : entities) list += (list.empty() ? "" : ",") + json_of(entity);
  return fmt::format("{{\"line\":{},\"entities\":[{}]}}\n", line.number, list);
}

std::string text_lines(const TaskLines::Line& line, const std::vector<Entity>& entities) {
  std::string text;
  for (const Entity& entity : entities) {
    const auto source =
        std::string_view(line.text).substr(entity.byte_begin, entity.byte_end - entity.byte_begin);
    text += fmt::format("{}\t{}\t{}\t{}\t{:.4f}\t{}\n", line.number, entity.char_begin, entity.char_end,
                        column(entity.label), entity.score, column(source));
  }
  return text;
}

std::vector<std::vector<Entity>> entities_of(const EntityRecognizer& recognizer, const TaskLines& source,
                                             const std::vector<TaskLines::Line>& lines,
                                             const EntityOptions& how, EntityReport& done) {
  std::vector<std::string_view> texts;
  for (const TaskLines::Line& line : lines) texts.push_back(line.text);
  try {
    return recognizer.entities(texts, how, &done);
  } catch (const Error& error) {
    throw with_line(error, source.lines().name(), [&](std::size_t i) { return lines[i].number; });
  }
}

void ner(NerOptions& options) {
  TaskLines source(options.task);
  OutputFile output(options.task.output);
  const EntityOptions how = entity_options(options);
  const EntityRecognizer recognizer =
      EntityRecognizer::load(options.task.model.name(), options.task.model.checked());
  std::uint64_t windowed = 0, windows = 0, cut = 0;
  for (auto lines = source.next(kBlock); !lines.empty(); lines = source.next(kBlock)) {
    EntityReport done;
    const auto entities = entities_of(recognizer, source, lines, how, done);
    for (std::size_t i = 0; i < lines.size(); ++i)
      output.write(options.task.is_json() ? json_line(lines[i], entities[i])
                                          : text_lines(lines[i], entities[i]));
    windowed += done.windowed;
    windows += done.windows - (lines.size() - done.windowed);
    cut += done.cut;
    if (done.invalid_parts > 0) source.count_invalid(done.invalid_parts, lines[done.first_invalid].number);
  }
  output.finish();
  if (windowed > 0)
    say(fmt::format("{} long text{} read in {} windows", windowed, plural(windowed), windows));
  say_cut(cut, recognizer.info().max_tokens);
  source.say_invalid();
}

}  // namespace

void add_ner(CLI::App& app) {
  auto options = std::make_shared<NerOptions>();
  CLI::App* command = app.add_subcommand("ner",
                                         "Find the entities of texts, one text a line: line number, first "
                                         "character and end, label, score and text "
                                         "of each.");
  options->task.add(*command, "texts, one a line; - is standard input");
  command
      ->add_option(
          "--aggregation", options->aggregation,
          "how labels of tokens become entities: none (each token), simple (neighbours of one tag), or of "
          "whole words by their first token, the average, or the max")
      ->check(CLI::IsMember({"none", "simple", "first", "average", "max"}))
      ->capture_default_str();
  command->add_option("--ignore", options->ignored, "labels to leave out; '' for none")
      ->capture_default_str();
  options->task.truncate.clear();
  options->has_truncate = options->task.add_lengths(*command);
  command->get_option("--max-tokens")
      ->description("the most tokens of a text, or of a window; else as the model says");
  options->has_truncate->description(options->has_truncate->get_description() +
                                     "; else they are read in windows");
  command
      ->add_option("--chunk", options->chunk,
                   "read texts in windows of up to so many tokens; else of as many as the model takes")
      ->check(CLI::Range(1, 1 << 24))
      ->excludes(options->has_truncate);
  command->add_option("--overlap", options->overlap, "tokens that windows share; else a quarter of one")
      ->check(CLI::Range(0, 1 << 24))
      ->excludes(options->has_truncate);
  command->footer("Example: nybble ner --model path/to/tagger --aggregation first texts.txt");
  command->callback([options] { ner(*options); });
}

}  // namespace nybble::cli
