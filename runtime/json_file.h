// Reading JSON configuration files: size limit, no duplicate keys, and errors of one sentence that name
// file, key, expected and found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "include/nybble/error.h"

namespace nybble::runtime {

/// Configuration files are small; a larger one is not what it says it is.
inline constexpr std::size_t kMaxJsonFileBytes = std::size_t{64} << 20;
/// Deeper JSON is an error, so that nothing that walks or copies it can exhaust the stack.
inline constexpr int kMaxJsonDepth = 64;

/// Parses one JSON value. Throws Error{unsupported_model} with name, line and column for anything else, a
/// key that occurs twice in an object, or nesting deeper than kMaxJsonDepth.
nlohmann::json parse_json(std::string_view text, std::string_view name);

/// A JSON object that remembers where it came from. Immutable.
class JsonObject {
 public:
  /// Throws Error{unsupported_model} if `value` is not an object.
  JsonObject(nlohmann::json value, std::string name);

  const nlohmann::json& value() const noexcept { return value_; }
  const std::string& name() const noexcept { return name_; }
  /// Whether the key is there and not null; Hugging Face files write null for "not given".
  bool has(std::string_view key) const;

  // The value of a key, or `missing` where it is absent or null. Each throws Error{unsupported_model}
  // naming file, key, expected and found if it has another type or range.
  bool boolean_or(std::string_view key, bool missing) const;
  std::string string_or(std::string_view key, std::string_view missing) const;
  std::optional<std::string> string(std::string_view key) const;
  /// A whole number from 0 to 2^63 - 1; 12.0 is one.
  std::optional<std::int64_t> count(std::string_view key) const;
  /// As count(), but any larger number gives 2^63 - 1: for lengths that say "no limit" by 1e30.
  std::optional<std::int64_t> count_saturated(std::string_view key) const;

  /// Throws the sentence `NAME: "KEY" must be EXPECTED, found …`.
  [[noreturn]] void fail(std::string_view key, std::string_view expected) const;

 private:
  const nlohmann::json* find(std::string_view key) const;

  nlohmann::json value_;
  std::string name_;
};

/// A value as an error shows it: short, on one line.
std::string describe_json(const nlohmann::json& value);

/// Reads a whole regular file. Throws Error{io} if it cannot, Error{unsupported_model} above `max_bytes`.
std::string read_text_file(const std::filesystem::path& file, std::size_t max_bytes = kMaxJsonFileBytes);

/// Reads and parses a file that must hold a JSON object.
JsonObject read_json_object(const std::filesystem::path& file);

}  // namespace nybble::runtime
