// nybble classify: labels for texts or pairs of texts, one a line.
#include <fmt/format.h>

#include <array>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "cli/task_options.h"

namespace nybble::cli {
namespace {

// Lines computed together: enough for all threads, and little memory.
constexpr std::size_t kBlock = 1024;
constexpr std::array kScorings = {"softmax", "sigmoid", "none"};

struct ClassifyOptions {
  TaskOptions task;
  std::string pair_field, scoring;
  std::size_t top_k = 1;
  bool all = false, pairs = false;
};

std::optional<Scoring> scoring_of(const std::string& name) {
  for (std::size_t i = 0; i < kScorings.size(); ++i) {
    if (kScorings[i] == name) return static_cast<Scoring>(i);
  }
  return std::nullopt;
}

/// The two texts of a line: fields, or what is before and behind its first tab.
TextOrPair text_of(const ClassifyOptions& options, const TaskLines& source, const TaskLines::Line& line) {
  if (!options.pair_field.empty()) return {line.text, line.other};
  if (!options.pairs) return {line.text, std::nullopt};
  const std::string_view text = line.text;
  const std::size_t tab = text.find('\t');
  if (tab != std::string_view::npos) return {text.substr(0, tab), text.substr(tab + 1)};
  throw Error(ErrorCode::bad_input,
              fmt::format("{}: line {}: expected two texts with a tab between, found no tab",
                          source.lines().name(), line.number));
}

std::string line_of(const ClassifyOptions& options, const Classifier& classifier, std::uint64_t number,
                    std::span<const float> scores) {
  std::string text;
  for (const Ranked& rank : rank_scores(scores, options.all ? 0 : options.top_k)) {
    const std::string& label = classifier.labels()[rank.index];
    if (options.task.is_json()) {
      text += fmt::format("{}{{\"label\":{},\"score\":{}}}", text.empty() ? "" : ",", json_string(label),
                          json_number(rank.score));
    } else {
      text += fmt::format("{}{}\t{:.4f}", text.empty() ? "" : "\t", column(label), rank.score);
    }
  }
  return options.task.is_json() ? fmt::format("{{\"line\":{},\"labels\":[{}]}}\n", number, text)
                                : text + "\n";
}

void check(const ClassifyOptions& options) {
  if (options.pairs && !options.task.field.empty())
    throw UsageError("--pairs takes pairs from columns: with --field use --pair-field for the other text");
  if (!options.pair_field.empty() && options.task.field.empty())
    throw UsageError("--pair-field needs --field, the field of the first text");
}

EncodeReport classify_block(const ClassifyOptions& options, const Classifier& classifier,
                            const TaskLines& source, const std::vector<TaskLines::Line>& block,
                            std::span<const TextOrPair> texts, std::span<float> scores) {
  try {
    return classifier.classify(texts, scores, scoring_of(options.scoring), options.task.encode_options());
  } catch (const Error& error) {
    throw with_line(error, source.lines().name(), [&](std::size_t i) { return block[i].number; });
  }
}

void classify(ClassifyOptions& options) {
  check(options);
  TaskLines source(options.task, options.pair_field);
  OutputFile output(options.task.output);
  const Classifier classifier = Classifier::load(options.task.model.name(), options.task.model.checked());
  const std::size_t labels = classifier.labels().size();
  std::uint64_t cut = 0;
  for (auto block = source.next(kBlock); !block.empty(); block = source.next(kBlock)) {
    std::vector<TextOrPair> texts;
    for (const TaskLines::Line& line : block) texts.push_back(text_of(options, source, line));
    std::vector<float> scores(texts.size() * labels);
    const EncodeReport done = classify_block(options, classifier, source, block, texts, scores);
    for (std::size_t i = 0; i < block.size(); ++i) {
      output.write(line_of(options, classifier, block[i].number,
                           std::span<const float>(scores).subspan(i * labels, labels)));
    }
    cut += done.cut;
    if (done.invalid_parts > 0) source.count_invalid(done.invalid_parts, block[done.first_invalid].number);
  }
  output.finish();
  say_cut(cut, classifier.info().max_tokens);
  source.say_invalid();
}

}  // namespace

void add_classify(CLI::App& app) {
  auto options = std::make_shared<ClassifyOptions>();
  CLI::App* command = app.add_subcommand(
      "classify",
      "Classify texts, or pairs of texts, one a line: the best label and its score each, in order.");
  options->task.add(*command, "texts, one a line; - is standard input");
  options->task.add_lengths(*command);
  auto* top_k = command->add_option("--top-k", options->top_k, "write the best so many labels of each text")
                    ->check(CLI::Range(1, 65536))
                    ->capture_default_str();
  command->add_flag("--all", options->all, "write all labels of each text, the best first")->excludes(top_k);
  command->add_flag("--pairs", options->pairs, "each line is two texts with a tab between");
  command->add_option("--pair-field", options->pair_field,
                      "with --field: pairs, whose other text is the string in this field");
  command
      ->add_option(
          "--scoring", options->scoring,
          "softmax, sigmoid (each label by itself) or none (logits); else by the model's problem_type")
      ->check(CLI::IsMember({"softmax", "sigmoid", "none"}));
  command->footer("Example: nybble classify --model path/to/classifier --all texts.txt");
  command->callback([options] { classify(*options); });
}

}  // namespace nybble::cli
