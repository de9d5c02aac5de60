#include "runtime/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "runtime/mapped_file.h"

namespace nybble::runtime {
namespace {

using nlohmann::json;

constexpr std::size_t kShownCharacters = 80;

/// Cuts at a border between UTF-8 sequences.
std::string shorten(std::string text) {
  if (text.size() <= kShownCharacters) return text;
  std::size_t stop = kShownCharacters;
  while (stop > 0 && (static_cast<unsigned char>(text[stop]) & 0xC0) == 0x80) --stop;
  return text.substr(0, stop) + "…";
}

/// The parser's sentence without its prefix and without the text that it read last, which can be very long.
std::string reason_of(const json::exception& error) {
  std::string reason = error.what();
  if (const auto start = reason.find("] "); start != std::string::npos) reason.erase(0, start + 2);
  if (reason.rfind("parse error at ", 0) == 0) reason.erase(0, reason.find(": ") + 2);
  const auto last_read = reason.find("; last read: '");
  if (last_read == std::string::npos) return reason;
  const auto rest = reason.rfind("'; expected");
  if (rest == std::string::npos || rest < last_read) return reason.substr(0, last_read);
  return reason.erase(last_read, rest + 1 - last_read);
}

/// Refuses what the parser itself lets pass: keys given twice and deep nesting.
class StructureCheck {
 public:
  explicit StructureCheck(std::string_view name) : name_(name) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key) check_key(parsed);
    if (depth > kMaxJsonDepth) {
      throw Error(ErrorCode::unsupported_model,
                  fmt::format("{}: expected JSON nested at most {} deep, found more", name_, kMaxJsonDepth));
    }
    return true;
  }

 private:
  void check_key(const json& key) {
    if (keys_.back().insert(key.get_ref<const std::string&>()).second) return;
    throw Error(
        ErrorCode::unsupported_model,
        fmt::format("{}: expected every key once in an object, found {} twice", name_, describe_json(key)));
  }

  std::string_view name_;
  std::vector<std::set<std::string>> keys_;
};

std::string position_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line_start = before.rfind('\n');
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto column = line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start;
  return fmt::format("line {}, column {}", line, column);
}

std::optional<std::int64_t> whole_number(const json& value, bool saturate) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(kMax)) return static_cast<std::int64_t>(number);
    return saturate ? std::optional(kMax) : std::nullopt;
  }
  if (!value.is_number_float()) return std::nullopt;  // signed: the parser uses it for negative numbers only
  const auto number = value.get<double>();
  if (!(number >= 0) || number != std::floor(number)) return std::nullopt;
  if (number < 0x1p63) return static_cast<std::int64_t>(number);
  return saturate ? std::optional(kMax) : std::nullopt;
}

}  // namespace

json parse_json(std::string_view text, std::string_view name) {
  // The parser takes a zero byte for the end and would ignore what follows.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(ErrorCode::unsupported_model,
                fmt::format("{}: {}: expected valid JSON, found a zero byte", name, position_of(text, zero)));
  }
  try {
    return json::parse(text.begin(), text.end(), StructureCheck(name));
  } catch (const json::parse_error& error) {
    // The parser counts bytes from 1 and points at the last one that it read.
    const std::string where = position_of(text, error.byte == 0 ? 0 : error.byte - 1);
    throw Error(ErrorCode::unsupported_model,
                fmt::format("{}: {}: expected valid JSON, found {}", name, where, shorten(reason_of(error))));
  } catch (const json::exception& error) {
    throw Error(ErrorCode::unsupported_model,
                fmt::format("{}: expected valid JSON, found {}", name, shorten(reason_of(error))));
  }
}

std::string describe_json(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  return shorten(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

JsonObject::JsonObject(json value, std::string name) : value_(std::move(value)), name_(std::move(name)) {
  if (value_.is_object()) return;
  throw Error(ErrorCode::unsupported_model,
              fmt::format("{}: expected a JSON object, found {}", name_, describe_json(value_)));
}

const json* JsonObject::find(std::string_view key) const {
  const auto found = value_.find(key);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonObject::has(std::string_view key) const { return find(key) != nullptr; }

void JsonObject::fail(std::string_view key, std::string_view expected) const {
  const auto value = value_.find(key);
  const std::string found = value == value_.end() ? "nothing" : describe_json(*value);
  throw Error(ErrorCode::unsupported_model,
              fmt::format("{}: \"{}\": expected {}, found {}", name_, key, expected, found));
}

bool JsonObject::boolean_or(std::string_view key, bool missing) const {
  const json* value = find(key);
  if (value == nullptr) return missing;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::optional<std::string> JsonObject::string(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail(key, "a string");
  return value->get<std::string>();
}

std::string JsonObject::string_or(std::string_view key, std::string_view missing) const {
  return string(key).value_or(std::string(missing));
}

std::optional<std::int64_t> JsonObject::count(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto number = whole_number(*value, false);
  if (!number) fail(key, "a whole number from 0 to 2^63 - 1");
  return number;
}

std::optional<std::int64_t> JsonObject::count_saturated(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto number = whole_number(*value, true);
  if (!number) fail(key, "a whole number of at least 0");
  return number;
}

std::string read_text_file(const std::filesystem::path& file, std::size_t max_bytes) {
  const MappedFile mapping(file);
  const auto bytes = mapping.bytes();
  if (bytes.size() > max_bytes) {
    throw Error(ErrorCode::unsupported_model, fmt::format("{}: expected at most {} bytes, found {}",
                                                          file.string(), max_bytes, bytes.size()));
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

JsonObject read_json_object(const std::filesystem::path& file) {
  return {parse_json(read_text_file(file), file.string()), file.string()};
}

}  // namespace nybble::runtime
