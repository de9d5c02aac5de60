#include "runtime/prompts.h"

#include <fmt/format.h>

namespace nybble::runtime {

const std::string& Prompts::text(const std::optional<std::string>& name) const {
  static const std::string none;
  if (!name && default_name.empty()) return none;
  if (const auto found = texts.find(name.value_or(default_name)); found != texts.end()) return found->second;
  std::string names;
  for (const auto& [known, ignored] : texts) names += (names.empty() ? "" : ", ") + known;
  throw Error(ErrorCode::bad_input, fmt::format("prompt name: expected one of the model's ({}), found '{}'",
                                                names.empty() ? "none" : names, *name));
}

Prompts parse_prompts(const JsonObject& config) {
  Prompts prompts;
  if (config.has("prompts")) {
    const JsonObject texts(*config.value().find("prompts"), config.name() + ": prompts");
    for (const auto& [name, ignored] : texts.value().items()) prompts.texts[name] = texts.string_or(name, "");
  }
  prompts.default_name = config.string_or("default_prompt_name", "");
  if (!prompts.default_name.empty() && !prompts.texts.contains(prompts.default_name))
    config.fail("default_prompt_name", "null or a name among the prompts");
  return prompts;
}

}  // namespace nybble::runtime
