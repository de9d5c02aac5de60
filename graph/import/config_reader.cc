#include "graph/import/config_reader.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "nybble/error.h"

namespace nybble::graph {
namespace {

[[noreturn]] void unsupported(const std::string& sentence) {
  throw Error(ErrorCode::unsupported_model, sentence);
}

constexpr std::size_t kMostShown = 60;  // bytes of a JSON value in an error
constexpr std::size_t kMostExtents = 8;

/// A JSON value as an error shows it: short, on one line.
std::string shown(const nlohmann::json& value) {
  // dump() would recurse as deep as a hostile file nests.
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kMostShown) return text;
  std::size_t end = kMostShown - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;  // a whole character
  return text.substr(0, end) + "...";
}

const nlohmann::json* find(const nlohmann::json& config, std::string_view key) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(shape.size(), kMostExtents); ++i) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() > kMostExtents ? ", ...]" : "]");
}

void add_words(std::string_view text, std::vector<std::string>& words) {
  constexpr std::string_view kBetween = "| ";
  for (std::size_t end = 0, begin; (begin = text.find_first_not_of(kBetween, end)) != text.npos;) {
    end = std::min(text.find_first_of(kBetween, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
  }
}

}  // namespace

ConfigReader::ConfigReader(const ImportSource& source)
    : file_(&source.config_name), values_(&source.config) {}

ConfigReader::ConfigReader(const ConfigReader& outer, std::string_view key, const nlohmann::json& object)
    : file_(outer.file_), values_(&object), path_(outer.path_ + std::string(key) + ".") {}

void ConfigReader::fail(std::string_view key, const std::string& expected, const std::string& found) const {
  unsupported(*file_ + ": " + path_ + std::string(key) + ": expected " + expected + ", found " + found);
}

void ConfigReader::fail_text(std::string_view key, const std::string& expected,
                             std::string_view found) const {
  fail(key, expected, shown(found));
}

void ConfigReader::fail_whole(const std::string& expected) const {
  unsupported(*file_ + ": expected " + expected + ", found " + shown(*values_));
}

void ConfigReader::fail_one_of(std::string_view key, std::span<const std::string_view> expected,
                               std::string_view found) const {
  std::string list;
  for (const std::string_view name : expected)
    list += (list.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  fail(key, expected.size() == 1 ? list : "one of " + list, shown(found));
}

bool ConfigReader::contains(std::string_view key) const { return find(*values_, key) != nullptr; }

std::string ConfigReader::string(std::string_view key) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value) fail(key, "a string", "nothing");
  if (!value->is_string()) fail(key, "a string", shown(*value));
  return value->get<std::string>();
}

std::string ConfigReader::string_or(std::string_view key, std::string_view otherwise) const {
  return find(*values_, key) ? string(key) : std::string(otherwise);
}

std::int64_t ConfigReader::integer(std::string_view key, std::int64_t least, std::int64_t most) const {
  const nlohmann::json* value = find(*values_, key);
  const std::string expected = "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  if (!value) fail(key, expected, "nothing");
  if (!value->is_number_integer()) fail(key, expected, shown(*value));
  const bool too_large =
      value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(most);
  if (too_large || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most)
    fail(key, expected, shown(*value));
  return value->get<std::int64_t>();
}

std::int64_t ConfigReader::integer_or(std::string_view key, std::int64_t otherwise, std::int64_t least,
                                      std::int64_t most) const {
  return find(*values_, key) ? integer(key, least, most) : otherwise;
}

std::vector<std::string> ConfigReader::words(std::string_view key) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value) return {};
  std::vector<std::string> result;
  if (!value->is_array()) {
    add_words(string(key), result);
    return result;
  }
  for (const nlohmann::json& element : *value) {
    if (!element.is_string()) fail(key, "strings", shown(element));
    add_words(element.get_ref<const std::string&>(), result);
  }
  return result;
}

double ConfigReader::number_or(std::string_view key, double otherwise, double least, double most) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value) return otherwise;
  const double found = value->is_number() ? value->get<double>() : std::nan("");
  if (found >= least && found <= most) return found;
  std::ostringstream expected;
  expected << "a number from " << least << " to " << most;
  fail(key, expected.str(), shown(*value));
}

bool ConfigReader::boolean_or(std::string_view key, bool otherwise) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) fail(key, "true or false", shown(*value));
  return value->get<bool>();
}

std::vector<std::string> ConfigReader::strings(std::string_view key) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value || !value->is_array()) fail(key, "an array of strings", value ? shown(*value) : "nothing");
  std::vector<std::string> result;
  for (const nlohmann::json& element : *value) {
    if (!element.is_string()) fail(key, "an array of strings", "one with " + shown(element));
    result.push_back(element.get<std::string>());
  }
  return result;
}

std::optional<ConfigReader> ConfigReader::object(std::string_view key) const {
  const nlohmann::json* value = find(*values_, key);
  if (!value) return std::nullopt;
  if (!value->is_object()) fail(key, "an object", shown(*value));
  return ConfigReader(*this, key, *value);
}

std::string ConfigReader::custom_class() const {
  const nlohmann::json* map = find(*values_, "auto_map");
  if (!map) return "";
  if (!map->is_object()) fail("auto_map", "an object", shown(*map));
  for (const auto& [key, value] : map->items()) {  // in order: AutoModel before AutoModelForMaskedLM
    if (!key.starts_with("AutoModel")) continue;
    if (!value.is_string()) fail("auto_map", "a class by name for " + key, shown(value));
    const std::string name = value.get<std::string>();
    return name.substr(name.rfind('.') + 1);
  }
  return "";
}

bool WeightReader::contains(std::string_view tensor) const {
  return source_.tensors.find(tensor) != source_.tensors.end();
}

bool WeightReader::contains_prefix(std::string_view prefix) const {
  const auto found = source_.tensors.lower_bound(prefix);
  return found != source_.tensors.end() && found->first.starts_with(prefix);
}

void WeightReader::check(const std::string& tensor, const std::vector<std::int64_t>& shape) const {
  const auto found = source_.tensors.find(tensor);
  const std::string where = source_.tensors_name + ": tensor " + tensor + ": ";
  if (found == source_.tensors.end())
    unsupported(where + "expected shape " + shape_text(shape) + ", found no such tensor");
  const TensorInfo& info = found->second;
  if (info.shape != shape)
    unsupported(where + "expected shape " + shape_text(shape) + ", found " + shape_text(info.shape));
  if (info.dtype != DType::f32 && info.dtype != DType::f16 && info.dtype != DType::bf16) {
    unsupported(where + "expected F32, F16 or BF16, found " + std::string(dtype_name(info.dtype)));
  }
}

ValueId WeightReader::weight(const std::string& name, const std::string& tensor,
                             const std::vector<std::int64_t>& shape) {
  return stacked(name, {tensor}, shape);
}

ValueId WeightReader::rows(const std::string& name, const std::string& tensor,
                           const std::vector<std::int64_t>& shape) {
  check(tensor, shape);
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  return add_weight(graph_, name, {Extent::of(shape[0]), Extent::of(columns)}, {tensor});
}

ValueId WeightReader::stacked(const std::string& name, const std::vector<std::string>& tensors,
                              const std::vector<std::int64_t>& shape) {
  for (const std::string& tensor : tensors) check(tensor, shape);
  Shape extents;
  for (const std::int64_t extent : shape) extents.push_back(Extent::of(extent));
  extents[0].size *= static_cast<std::int64_t>(tensors.size());
  return add_weight(graph_, name, std::move(extents), tensors);
}

ValueId WeightReader::weight(const std::string& name, const std::string& tensor,
                             const std::string& other_spelling, const std::vector<std::int64_t>& shape) {
  return weight(name, contains(tensor) || !contains(other_spelling) ? tensor : other_spelling, shape);
}

}  // namespace nybble::graph
