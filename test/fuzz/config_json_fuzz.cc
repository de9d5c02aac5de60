// A configuration file of any bytes is read by each of its readers or refused in one sentence.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/json_file.h"
#include "runtime/sentence_transformers.h"
#include "runtime/task_folder.h"
#include "test/fuzz/one_sentence.h"

namespace {

using namespace nybble;

template <typename Reader>
void read(const nlohmann::json& value, Reader&& reader) {
  fuzz::fails_in_one_sentence("x", [&] { reader(runtime::JsonObject(value, "x")); });
}

void read_modules(const nlohmann::json& value) {
  fuzz::fails_in_one_sentence("x", [&] {
    for (const auto& module : runtime::parse_modules(value, "x")) {
      fuzz::require(module.path.is_relative());
      fuzz::require(std::find(module.path.begin(), module.path.end(), "..") == module.path.end());
    }
  });
}

void read_each(const nlohmann::json& value) {
  read_modules(value);
  read(value, [](const auto& config) { runtime::parse_pooling(config); });
  for (const char* type : {"Dense", "Normalize", "LayerNorm"}) {
    for (const runtime::Level level : {runtime::Level::tokens, runtime::Level::embedding}) {
      read(value, [&](const auto& config) {
        runtime::parse_head_module({type, "1_Module"}, 1, config, level);
      });
    }
  }
  read(value, [](const auto& config) { runtime::parse_sparse_pooling(config); });
  read(value, [](const auto& config) {
    const std::vector<std::string> labels = runtime::read_labels(config);
    fuzz::require(!labels.empty());
    runtime::classifier_scoring(config, labels.size());
  });
  read(value, [](const auto& config) { fuzz::require(runtime::heads_of(config, {}).empty()); });
  read(value, [](const auto& config) { runtime::parse_pylate(config); });
  read(value, [](const auto& config) { runtime::parse_artifact_metadata(config); });
  read(value, [](const auto& config) {
    runtime::MultiVector multi_vector;
    runtime::take_transformer_options(config, multi_vector);
    runtime::take_mask(config, multi_vector);
  });
  read(value, [](const auto& config) {
    runtime::SentenceTransformers st;
    runtime::take_model_options(config, st);
  });
  read(value, [](const auto& config) {
    const auto length = runtime::parse_transformer_options(config).max_seq_length;
    fuzz::require(!length || length->tokens > 0);
  });
  read(value, [](const auto& config) {
    const auto length = runtime::parse_model_max_length(config);
    fuzz::require(!length || length->tokens > 0);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::fails_in_one_sentence("x", [&] { read_each(runtime::parse_json(text, "x")); });
  return 0;
}
