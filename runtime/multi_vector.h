// Late interaction (ColBERT; Khattab and Zaharia 2020): a vector a token, and what queries and documents have
// of their own. Three kinds of folders say it in three ways: sentence-transformers 6's MultiVectorEncoder,
// PyLate's, and those of Stanford's ColBERT.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/json_file.h"

namespace nybble::runtime {

/// A query is filled up with a token that stands for what it does not say.
struct QueryExpansion {
  std::int64_t length = 0;   ///< of a query that was filled up, special tokens included
  bool cuts = true;          ///< longer queries are cut to `length`
  bool is_attended = false;  ///< whether tokens attend to those that were filled in
  std::string token;         ///< empty: the mask token
};

/// How texts become vectors.
struct MultiVector {
  /// A token behind the first special one, by name; empty: none. Where the vocabulary lacks it, it is put
  /// before the text as it stands.
  std::string query_marker, document_marker;
  std::optional<std::int64_t> query_length, document_length;  ///< longest, special tokens included
  std::optional<QueryExpansion> expansion;
  std::vector<std::string> skipped;  ///< tokens whose vectors are left out, where the vocabulary has them
  bool skips_in_queries = false, skips_in_documents = true;
};

/// Whether config.json is that of Stanford's ColBERT: architectures is HF_ColBERT.
bool is_stanford_colbert(const JsonObject& config);
/// artifact.metadata of such a folder; the object may be empty.
MultiVector parse_artifact_metadata(const JsonObject& metadata);
/// config_sentence_transformers.json of PyLate (model_type "ColBERT").
MultiVector parse_pylate(const JsonObject& config);
/// Takes over query_length, document_length and query_expansion of a Transformer module, which go before.
void take_transformer_options(const JsonObject& config, MultiVector& multi_vector);
/// Takes over what a MultiVectorMask module says.
void take_mask(const JsonObject& config, MultiVector& multi_vector);

}  // namespace nybble::runtime
