#include "graph/import/importer.h"

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "graph/import/config_reader.h"

namespace nybble::graph {
namespace {

struct Family {
  std::string_view model_type;
  /// What the names of the classes begin with that auto_map may name; "" where it may name none.
  std::string_view custom_class;
  ImportedModel (*import)(const ImportSource&, const ImportTarget&);
};

// Of several with one model_type the first is taken where auto_map names no class.
constexpr std::array kFamilies = {
    Family{"albert", "", import_albert},
    Family{"bert", "", import_bert},
    Family{"bert", "JinaBert", import_jina_bert},
    Family{"camembert", "", import_roberta},
    Family{"deberta-v2", "", import_deberta},
    Family{"distilbert", "", import_distilbert},
    Family{"electra", "", import_electra},
    Family{"modernbert", "", import_modernbert},
    Family{"mpnet", "", import_mpnet},
    Family{"new", "New", import_gte_new},
    Family{"nomic_bert", "NomicBert", import_nomic_bert},
    Family{"roberta", "", import_roberta},
    Family{"xlm-roberta", "", import_roberta},
};

/// In a sentence: no class, or one of the family's own.
std::string expected_classes(std::string_view model_type) {
  std::string expected = "no model class (Nybble runs no code of a model's own)";
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type && !family.custom_class.empty())
      expected += " or one that begins with " + std::string(family.custom_class);
  }
  return expected;
}

/// The family of `model_type` whose class auto_map names; null if there is no such model_type.
const Family* find_family(const ConfigReader& config, std::string_view model_type) {
  const std::string custom = config.custom_class();
  bool known = false;
  for (const Family& family : kFamilies) {
    if (family.model_type != model_type) continue;
    known = true;
    if (custom.empty() || (!family.custom_class.empty() && custom.starts_with(family.custom_class)))
      return &family;
  }
  if (known) config.fail_text("auto_map", expected_classes(model_type), custom);
  return nullptr;
}

}  // namespace

std::span<const std::string_view> model_types() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Family& family : kFamilies) {
      if (all.empty() || all.back() != family.model_type) all.push_back(family.model_type);
    }
    return all;
  }();
  return names;
}

ImportedModel import_model(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  if (!source.config.is_object()) config.fail_whole("an object");
  const std::string model_type = config.string("model_type");
  if (const Family* family = find_family(config, model_type)) return family->import(source, target);
  config.fail_one_of("model_type", model_types(), model_type);
}

}  // namespace nybble::graph
