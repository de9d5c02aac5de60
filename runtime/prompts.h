// What is put before texts, by name: "prompts" of config_sentence_transformers.json.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/json_file.h"

namespace nybble::runtime {

/// The prompts of a model. A name without text is a name all the same: it puts nothing before a text.
struct Prompts {
  std::map<std::string, std::string, std::less<>> texts;
  std::string default_name;  ///< empty: none

  /// The text of `name`, else of the default, else "". Throws Error{bad_input} with the names there are.
  const std::string& text(const std::optional<std::string>& name) const;
};

/// Throws Error{unsupported_model} for a value of the wrong type, or a default that is no name.
Prompts parse_prompts(const JsonObject& config);

}  // namespace nybble::runtime
