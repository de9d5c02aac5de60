// Shorter ways to load a model of test/golden and to embed with it.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "golden_files.h"
#include "nybble/nybble.h"

namespace nybble::test {

inline Model load_golden(const std::string& folder, const LoadOptions& options = {}) {
  return Model::load((golden_folder() / folder).string(), options);
}

inline std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

inline std::vector<float> embed(const Model& model, const std::vector<std::string>& texts) {
  std::vector<float> rows(texts.size() * model.info().dimensions);
  model.encode(views(texts), rows);
  return rows;
}

/// Each text in a call of its own.
inline std::vector<float> embed_alone(const Model& model, const std::vector<std::string>& texts) {
  std::vector<float> rows;
  for (const std::string& text : texts) {
    const std::vector<float> row = embed(model, {text});
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

/// Whether all bits are equal; 0 and -0 are not.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline std::vector<std::string> runnable_sets() {
  std::vector<std::string> names;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.runnable) names.push_back(set.name);
  }
  return names;
}

/// The golden texts of a folder, and some that are no prose: empty, blank, unknown, no UTF-8, long.
inline std::vector<std::string> texts_of(const std::string& folder) {
  std::vector<std::string> texts = read_lines(golden_folder() / folder / "golden/texts.txt");
  texts.insert(texts.end(), {"", " \t ", "\xe6\xbc\xa2\xe5\xad\x97", "bad \xff\xc3 bytes", "most most most",
                             texts.back() + " " + texts.back()});
  return texts;
}

}  // namespace nybble::test
