#include "tokenizer/json_reader.h"

#include <limits>

#include "include/nybble/error.h"
#include "tokenizer/code_points.h"

namespace nybble::tokenizer {
namespace {

using simdjson::dom::element_type;

std::string describe(simdjson::dom::element element) {
  switch (element.type()) {
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return in_quotes(element.get_string().value_unsafe());
    case element_type::BOOL:
      return element.get_bool().value_unsafe() ? "true" : "false";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "the number " + simdjson::to_string(element);
  }
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 40 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
             name.npos;
}

std::string child_path(const std::string& path, std::string_view name) {
  return is_plain_name(name) ? path + "." + std::string(name) : path + "[" + in_quotes(name) + "]";
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::size_t size = std::min(text.size(), kLongest);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  std::string out = "\"";
  for (const char c : text.substr(0, size)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + (size < text.size() ? "...\"" : "\"");
}

JsonNode JsonNode::member(std::string_view name, simdjson::dom::element element) const {
  return {element, child_path(path_, name), file_};
}

JsonNode JsonNode::element_at(std::size_t index, simdjson::dom::element element) const {
  return {element, path_ + "[" + std::to_string(index) + "]", file_};
}

std::optional<JsonNode> JsonNode::optional_field(std::string_view name) const {
  std::optional<JsonNode> found;
  for (const auto& [key, value] : object()) {
    if (key != name) continue;
    if (found) found->fail("one value", "a second one");
    found = member(name, value);
  }
  return found;
}

JsonNode JsonNode::field(std::string_view name) const {
  auto found = optional_field(name);
  if (!found) JsonNode(element_, child_path(path_, name), file_).fail("a value", "nothing");
  return *found;
}

std::vector<JsonNode> JsonNode::elements() const {
  simdjson::dom::array array;
  if (element_.get_array().get(array) != simdjson::SUCCESS) fail("an array");
  std::vector<JsonNode> out;
  for (const simdjson::dom::element element : array) {
    out.push_back(element_at(out.size(), element));
  }
  return out;
}

simdjson::dom::object JsonNode::object() const {
  simdjson::dom::object object;
  if (element_.get_object().get(object) != simdjson::SUCCESS) fail("an object");
  return object;
}

std::string_view JsonNode::text() const {
  std::string_view text;
  if (element_.get_string().get(text) != simdjson::SUCCESS) fail("a string");
  return text;
}

bool JsonNode::boolean() const {
  bool value = false;
  if (element_.get_bool().get(value) != simdjson::SUCCESS) fail("true or false");
  return value;
}

char32_t JsonNode::character() const {
  const std::string_view value = text();
  if (value.empty() || read_code_point(value, 0).size != value.size()) fail("one character");
  return read_code_point(value, 0).value;
}

double JsonNode::number() const {
  double value = 0;
  if (element_.is_number()) value = element_.get_double().value_unsafe();
  if (!element_.is_number()) fail("a number");
  return value;
}

std::int32_t JsonNode::id() const {
  std::int64_t value = -1;
  const bool integer = element_.get_int64().get(value) == simdjson::SUCCESS;
  if (!integer || value < 0 || value > std::numeric_limits<std::int32_t>::max()) {
    fail("an integer of 0 to 2147483647");
  }
  return static_cast<std::int32_t>(value);
}

std::uint64_t JsonNode::unsigned_number() const {
  std::uint64_t value = 0;
  if (element_.get_uint64().get(value) != simdjson::SUCCESS) fail("an integer of 0 or more");
  return value;
}

void JsonNode::fail(std::string_view expected) const { fail(expected, describe(element_)); }

void JsonNode::fail(std::string_view expected, std::string_view found) const {
  throw Error(ErrorCode::unsupported_model, std::string(file_) + ": " + path_ + ": expected " +
                                                std::string(expected) + ", found " + std::string(found) +
                                                ".");
}

}  // namespace nybble::tokenizer
