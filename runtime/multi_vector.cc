#include "runtime/multi_vector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace nybble::runtime {
namespace {

using nlohmann::json;

constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr std::int64_t kQueryLength = 32;  // ColBERT's own, where a folder does not say

std::vector<std::string> punctuation() {
  std::vector<std::string> words;
  for (const char mark : kPunctuation) words.emplace_back(1, mark);
  return words;
}

std::optional<std::int64_t> length(const JsonObject& config, std::string_view key) {
  const auto tokens = config.count(key);
  if (tokens && *tokens == 0) config.fail(key, "at least 1 token");
  return tokens;
}

std::vector<std::string> words(const JsonObject& config, std::string_view key) {
  const json& list = *config.value().find(key);
  if (!list.is_array()) config.fail(key, "an array of words");
  std::vector<std::string> result;
  for (const json& word : list) {
    if (!word.is_string()) config.fail(key, "an array of words");
    result.push_back(word.get<std::string>());
  }
  return result;
}

QueryExpansion parse_expansion(const JsonObject& config) {
  constexpr std::array<std::string_view, 4> kKeys = {"strategy", "attend", "token", "length"};
  for (const auto& [key, ignored] : config.value().items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      config.fail(key, "one of the keys strategy, attend, token, length");
  }
  QueryExpansion expansion;
  const std::string strategy = config.string_or("strategy", "");
  if (strategy != "fixed" && strategy != "min") config.fail("strategy", "\"fixed\" or \"min\"");
  expansion.cuts = strategy == "fixed";
  expansion.is_attended = config.boolean_or("attend", false);
  expansion.token = config.string_or("token", "");
  const auto tokens = length(config, "length");
  if (!tokens) config.fail("length", "a number of tokens");
  expansion.length = *tokens;
  return expansion;
}

JsonObject object_at(const JsonObject& parent, std::string_view key) {
  return {*parent.value().find(key), fmt::format("{}: {}", parent.name(), key)};
}

/// The expansion of PyLate's folders: a dictionary from version 2 on, flags before it; on unless switched
/// off.
std::optional<QueryExpansion> pylate_expansion(const JsonObject& config,
                                               std::optional<std::int64_t> query_length) {
  if (config.has("query_expansion")) return parse_expansion(object_at(config, "query_expansion"));
  const bool is_off = config.value().contains("query_expansion");
  if (is_off || !config.boolean_or("do_query_expansion", true)) return std::nullopt;
  const bool attends =
      config.boolean_or("attend_to_expansion_tokens", config.boolean_or("attend_to_mask_tokens", false));
  return QueryExpansion{query_length.value_or(kQueryLength), true, attends, ""};
}

}  // namespace

bool is_stanford_colbert(const JsonObject& config) {
  const auto found = config.value().find("architectures");
  if (found == config.value().end() || !found->is_array()) return false;
  return std::find(found->begin(), found->end(), "HF_ColBERT") != found->end();
}

MultiVector parse_artifact_metadata(const JsonObject& metadata) {
  MultiVector result;
  result.query_marker = metadata.string_or("query_token_id", "[unused0]");
  result.document_marker = metadata.string_or("doc_token_id", "[unused1]");
  result.document_length = length(metadata, "doc_maxlen");
  result.expansion = QueryExpansion{length(metadata, "query_maxlen").value_or(kQueryLength), true,
                                    metadata.boolean_or("attend_to_mask_tokens", false), ""};
  if (metadata.boolean_or("mask_punctuation", true)) result.skipped = punctuation();
  return result;
}

MultiVector parse_pylate(const JsonObject& config) {
  MultiVector result;
  result.query_marker = config.string_or("query_prefix", "");
  result.document_marker = config.string_or("document_prefix", "");
  result.query_length = length(config, "query_length");
  result.document_length = length(config, "document_length");
  result.expansion = pylate_expansion(config, result.query_length);
  result.skipped = config.has("skiplist_words") ? words(config, "skiplist_words") : punctuation();
  return result;
}

void take_transformer_options(const JsonObject& config, MultiVector& multi_vector) {
  if (const auto tokens = length(config, "query_length")) multi_vector.query_length = tokens;
  if (const auto tokens = length(config, "document_length")) multi_vector.document_length = tokens;
  if (config.has("query_expansion"))
    multi_vector.expansion = parse_expansion(object_at(config, "query_expansion"));
}

void take_mask(const JsonObject& config, MultiVector& multi_vector) {
  multi_vector.skipped.clear();
  if (config.has("skiplist_words")) multi_vector.skipped = words(config, "skiplist_words");
  if (config.has("keep_only_token_ids")) config.fail("keep_only_token_ids", "null");
  if (!config.has("skiplist_tasks")) return;
  multi_vector.skips_in_queries = multi_vector.skips_in_documents = false;
  for (const std::string& task : words(config, "skiplist_tasks")) {
    if (task == "query") multi_vector.skips_in_queries = true;
    if (task == "document") multi_vector.skips_in_documents = true;
  }
}

}  // namespace nybble::runtime
