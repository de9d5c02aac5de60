// Typed access to a parsed JSON text; what does not fit is an Error that names file, JSON path, expected and
// found.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nybble::tokenizer {

/// One value and where it stands. A view: the parser and the file's name must outlive it. One thread.
class JsonNode {
 public:
  JsonNode(simdjson::dom::element element, std::string path, std::string_view file)
      : element_(element), path_(std::move(path)), file_(file) {}

  bool is_null() const { return element_.is_null(); }
  bool is_string() const { return element_.is_string(); }
  bool is_object() const { return element_.is_object(); }

  /// A member of this object; an error if it is missing, there twice, or this is no object.
  JsonNode field(std::string_view name) const;
  /// The same, absent if missing.
  std::optional<JsonNode> optional_field(std::string_view name) const;
  std::vector<JsonNode> elements() const;  ///< of this array

  std::string_view text() const;
  bool boolean() const;
  char32_t character() const;  ///< of a string that is one code point
  double number() const;
  std::int32_t id() const;  ///< a token or type id: an integer of 0 to 2^31 - 1
  std::uint64_t unsigned_number() const;
  simdjson::dom::object object() const;
  simdjson::dom::element element() const { return element_; }

  const std::string& path() const { return path_; }
  std::string_view file() const { return file_; }

  /// Throws Error{unsupported_model}: "FILE: PATH: expected EXPECTED, found WHAT-IS-THERE."
  [[noreturn]] void fail(std::string_view expected) const;
  /// The same with other words for what is there.
  [[noreturn]] void fail(std::string_view expected, std::string_view found) const;

  /// A member of this object that the caller already iterates over.
  JsonNode member(std::string_view name, simdjson::dom::element element) const;
  /// The same for an array.
  JsonNode element_at(std::size_t index, simdjson::dom::element element) const;

 private:
  simdjson::dom::element element_;
  std::string path_;
  std::string_view file_;
};

/// `text` in quotes, cut to a length that fits a sentence.
std::string in_quotes(std::string_view text);

}  // namespace nybble::tokenizer
