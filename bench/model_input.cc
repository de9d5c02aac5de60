#include "bench/model_input.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/text_lines.h"
#include "nybble/error.h"

namespace nybble::bench {
namespace {

constexpr int kLongest = 1 << 24;
constexpr std::string_view kSeparators = ", \t\r\n";

[[noreturn]] void fail(const std::string& where, const std::string& sentence) {
  throw Error(ErrorCode::bad_input, where + ": " + sentence);
}

int length_of(std::string_view word, const std::string& where) {
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 1 || value > kLongest) {
    fail(where, fmt::format("expected lengths from 1 to {}, found '{}'", kLongest, word));
  }
  return value;
}

void append_lengths(std::string_view line, const std::string& where, std::vector<int>& lengths) {
  for (std::size_t at = 0;;) {
    const std::size_t begin = line.find_first_not_of(kSeparators, at);
    if (begin == line.npos) return;
    at = std::min(line.find_first_of(kSeparators, begin), line.size());
    lengths.push_back(length_of(line.substr(begin, at - begin), where));
  }
}

nlohmann::json parse_json(const std::string& line, const std::string& where) {
  nlohmann::json value = nlohmann::json::parse(line, nullptr, false);
  if (!value.is_array()) fail(where, "expected a JSON array");
  return value;
}

void append_ids(const nlohmann::json& sequence, const std::string& where, CallInput& input) {
  if (!sequence.is_array() || sequence.empty()) fail(where, "expected an array of ids for each sequence");
  for (const nlohmann::json& id : sequence) {
    if (!id.is_number_integer() || id < INT32_MIN || id > INT32_MAX) {
      fail(where, "expected ids that are whole numbers of 32 bits, found " + id.dump());
    }
    input.ids.push_back(id.get<std::int32_t>());
  }
  input.cu_seqlens.push_back(static_cast<std::int32_t>(input.ids.size()));
}

CallInput require_some(CallInput input, const std::string& where) {
  if (input.rows() == 0) fail(where, "expected at least one sequence, found none");
  return input;
}

}  // namespace

CallInput random_ids(const std::vector<int>& lengths, std::size_t vocabulary) {
  std::mt19937 random(1);
  CallInput input;
  for (const int length : lengths) {
    for (int i = 0; i < length; ++i) input.ids.push_back(static_cast<std::int32_t>(random() % vocabulary));
    input.cu_seqlens.push_back(static_cast<std::int32_t>(input.ids.size()));
  }
  return input;
}

CallInput parse_call(const std::string& line, std::size_t vocabulary, const std::string& where) {
  const std::size_t first = line.find_first_not_of(kSeparators);
  if (first == line.npos || line[first] != '[') {
    std::vector<int> lengths;
    append_lengths(line, where, lengths);
    return require_some(random_ids(lengths, vocabulary), where);
  }
  CallInput input;
  for (const nlohmann::json& item : parse_json(line, where)) {
    if (input.rows() > 0 && item.is_string() == input.texts.empty()) {
      fail(where, "expected texts alone or ids alone, found both");
    }
    if (item.is_string()) {
      input.texts.push_back(item.get<std::string>());
    } else {
      append_ids(item, where, input);
    }
  }
  return require_some(std::move(input), where);
}

CallInput read_lengths(const std::string& file, std::size_t vocabulary) {
  cli::TextLines lines(file);
  std::vector<int> lengths;
  for (std::string line; lines.next(line);) {
    append_lengths(line, fmt::format("{}: line {}", lines.name(), lines.line_number()), lengths);
  }
  return require_some(random_ids(lengths, vocabulary), lines.name());
}

CallInput read_ids(const std::string& file) {
  cli::TextLines lines(file);
  CallInput input;
  for (std::string line; lines.next(line);) {
    const std::string where = fmt::format("{}: line {}", lines.name(), lines.line_number());
    append_ids(parse_json(line, where), where, input);
  }
  return require_some(std::move(input), lines.name());
}

CallInput read_texts(const std::string& file) {
  cli::TextLines lines(file);
  CallInput input;
  for (std::string line; lines.next(line);) input.texts.push_back(std::move(line));
  return require_some(std::move(input), lines.name());
}

}  // namespace nybble::bench
