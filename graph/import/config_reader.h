// Typed reading of config.json and checked look-up of tensors, with errors that name file, key, expected and
// found.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/importer.h"

namespace nybble::graph {

/// Every member throws Error{unsupported_model} where a value is missing, of another type, or out of range. A
/// null counts as missing. `source` must outlive the reader.
class ConfigReader {
 public:
  explicit ConfigReader(const ImportSource& source);

  bool contains(std::string_view key) const;
  std::string string(std::string_view key) const;
  std::string string_or(std::string_view key, std::string_view otherwise) const;
  /// An integer in [least, most].
  std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most) const;
  std::int64_t integer_or(std::string_view key, std::int64_t otherwise, std::int64_t least,
                          std::int64_t most) const;
  /// The words of "a|b", or of a list of such; none where the key is missing.
  std::vector<std::string> words(std::string_view key) const;
  /// A number in [least, most].
  double number_or(std::string_view key, double otherwise, double least, double most) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  /// An array of strings.
  std::vector<std::string> strings(std::string_view key) const;
  /// The object at `key`, whose own keys errors call "key.name"; none if it is missing.
  std::optional<ConfigReader> object(std::string_view key) const;
  /// The class that auto_map names for the model: "NewModel" of "org/name--modeling.NewModel"; "" if it names
  /// none.
  std::string custom_class() const;

  [[noreturn]] void fail(std::string_view key, const std::string& expected, const std::string& found) const;
  /// The same with a text that was found.
  [[noreturn]] void fail_text(std::string_view key, const std::string& expected,
                              std::string_view found) const;
  /// Fails with the whole file as what was found.
  [[noreturn]] void fail_whole(const std::string& expected) const;
  [[noreturn]] void fail_one_of(std::string_view key, std::span<const std::string_view> expected,
                                std::string_view found) const;

 private:
  ConfigReader(const ConfigReader& outer, std::string_view key, const nlohmann::json& object);

  const std::string* file_;
  const nlohmann::json* values_;
  std::string path_;  ///< before each key in errors
};

/// Finds tensors and turns them into weights of a graph. `source` and `graph` must outlive it.
class WeightReader {
 public:
  WeightReader(const ImportSource& source, Graph& graph) : source_(source), graph_(graph) {}

  bool contains(std::string_view tensor) const;
  bool contains_prefix(std::string_view prefix) const;  ///< whether a tensor's name begins so
  /// Adds the tensor as weight %`name`. The tensor must have exactly that shape and be F32, F16 or BF16.
  ValueId weight(const std::string& name, const std::string& tensor, const std::vector<std::int64_t>& shape);
  /// Several tensors, each of exactly that shape, laid end to end along extent 0.
  ValueId stacked(const std::string& name, const std::vector<std::string>& tensors,
                  const std::vector<std::int64_t>& shape);
  /// A tensor of `shape` read as rows of shape[0], whatever extents its rows have.
  ValueId rows(const std::string& name, const std::string& tensor, const std::vector<std::int64_t>& shape);
  /// The same for whichever of two spellings there is.
  ValueId weight(const std::string& name, const std::string& tensor, const std::string& other_spelling,
                 const std::vector<std::int64_t>& shape);

 private:
  void check(const std::string& tensor, const std::vector<std::int64_t>& shape) const;

  const ImportSource& source_;
  Graph& graph_;
};

}  // namespace nybble::graph
