#include "bench/layer_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/text_lines.h"
#include "nybble/error.h"

namespace nybble::bench {
namespace {

constexpr int kLargestExtent = 65536;

/// The words of a line up to a #.
std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (std::size_t at = 0;;) {
    const std::size_t begin = line.find_first_not_of(" \t\r\n", at);
    if (begin == line.npos) return words;
    at = std::min(line.find_first_of(" \t\r\n", begin), line.size());
    words.push_back(line.substr(begin, at - begin));
  }
}

std::optional<int> extent_of(std::string_view word) {
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value >= 1 && value <= kLargestExtent ? std::optional(value) : std::nullopt;
}

[[noreturn]] void fail(const std::string& source, std::size_t line, const std::string& found) {
  throw Error(ErrorCode::bad_input,
              fmt::format("{}: line {}: expected NAME N K with N and K from 1 to {}, found {}", source, line,
                          kLargestExtent, found));
}

void parse_line(std::string_view line, std::size_t number, const std::string& source,
                std::vector<LayerShape>& shapes) {
  const auto words = words_of(line);
  if (words.empty()) return;
  if (words.size() != 3) {
    fail(source, number, fmt::format("{} word{}", words.size(), words.size() == 1 ? "" : "s"));
  }
  const auto n = extent_of(words[1]), k = extent_of(words[2]);
  if (!n || !k) fail(source, number, fmt::format("'{}'", n ? words[2] : words[1]));
  shapes.push_back({std::string(words[0]), *n, *k});
}

void require_some(const std::vector<LayerShape>& shapes, const std::string& source) {
  if (shapes.empty()) {
    throw Error(ErrorCode::bad_input, source + ": expected a shape a line, NAME N K, found none");
  }
}

}  // namespace

std::vector<LayerShape> parse_layer_shapes(std::string_view text, const std::string& source) {
  std::vector<LayerShape> shapes;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    parse_line(text.substr(0, end), number, source, shapes);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  require_some(shapes, source);
  return shapes;
}

std::vector<LayerShape> read_layer_shapes(const std::string& file) {
  cli::TextLines lines(file);
  std::vector<LayerShape> shapes;
  for (std::string line; lines.next(line);) parse_line(line, lines.line_number(), lines.name(), shapes);
  require_some(shapes, lines.name());
  return shapes;
}

std::vector<LayerShape> carried_layer_shapes(bool first_model_alone) {
  std::vector<LayerShape> all;
  for (const ModelShapes& carried : carried_models()) {
    for (LayerShape& shape : parse_layer_shapes(carried.text, std::string(carried.model))) {
      const auto same = [&](const LayerShape& other) { return other.n == shape.n && other.k == shape.k; };
      if (std::any_of(all.begin(), all.end(), same)) continue;
      all.push_back({fmt::format("{} {}", carried.model, shape.name), shape.n, shape.k});
    }
    if (first_model_alone) break;
  }
  return all;
}

}  // namespace nybble::bench
