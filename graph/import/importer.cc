#include "graph/import/importer.h"

#include <array>
#include <nlohmann/json.hpp>

#include "graph/import/config_reader.h"

namespace nybble::graph {
namespace {

struct Family {
  std::string_view model_type;
  ImportedModel (*import)(const ImportSource&, const ImportTarget&);
};

constexpr std::array kFamilies = {
    Family{"bert", import_bert},
    Family{"deberta-v2", import_deberta},
};

constexpr auto kModelTypes = [] {
  std::array<std::string_view, kFamilies.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kFamilies[i].model_type;
  return names;
}();

}  // namespace

std::span<const std::string_view> model_types() { return kModelTypes; }

ImportedModel import_model(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  if (!source.config.is_object()) config.fail_whole("an object");
  const std::string model_type = config.string("model_type");
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return family.import(source, target);
  }
  config.fail_one_of("model_type", kModelTypes, model_type);
}

}  // namespace nybble::graph
