// From a model folder's config and tensor names to a graph: one file a model family.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir.h"
#include "graph/tensor.h"

namespace nybble::graph {

/// What an importer reads, and how to name it in errors.
struct ImportSource {
  const nlohmann::json& config;  ///< the parsed config.json
  std::string config_name;       ///< e.g. "/models/minilm/config.json"
  const TensorTable& tensors;
  std::string tensors_name;  ///< e.g. "/models/minilm/model.safetensors"
};

/// How the rows of a sequence become one (Op::pool has the formulas).
enum class PoolMode { mean, cls, max, last, weighted_mean, mean_sqrt_len };

/// What may stand between an encoder's rows and the output, on the rows of tokens or on pooled ones.
struct HeadModule {
  enum class Kind {
    dense,       ///< activation(x · Wᵀ + b), with a residual after it if it has one
    normalize,   ///< rows of length 1
    layer_norm,  ///< with PyTorch's epsilon, 1e-5
  };
  enum class Residual {
    none,
    input,      ///< + x
    projected,  ///< + x · Rᵀ
  };
  Kind kind = Kind::normalize;
  std::string name;     ///< of its results: "dense.2"
  std::string tensors;  ///< what the names of its tensors begin with: "2_Dense/"
  std::int64_t outputs = 0;
  bool bias = true;
  std::string activation;  ///< the IR's kind; empty: none
  Residual residual = Residual::none;

  bool operator==(const HeadModule&) const = default;
};

/// What a task's model has behind its encoder (graph/import/heads.h).
enum class Head { none, sequence_classification, token_classification, masked_lm };

/// What the graph is to give.
struct ImportTarget {
  std::vector<PoolMode> pooling = {PoolMode::mean};  ///< of several the results stand side by side
  bool normalize = false;                            ///< after everything else
  bool per_token = false;                            ///< one row a token instead of one pooled row a sequence
  bool skip_prompt = false;                          ///< the pool leaves out what Batch::pool_from says
  std::vector<HeadModule> token_modules = {};        ///< on the rows of tokens, before the pool
  std::vector<HeadModule> pooled_modules = {};       ///< on pooled rows
  Head head = Head::none;                            ///< with one, the other members say nothing
  std::int64_t labels = 0;                           ///< of a classifier
};

/// The sizes of an encoder, for people and for checking requests.
struct EncoderSizes {
  std::string family;  ///< "bert"
  std::int64_t layers = 0, hidden = 0, heads = 0, intermediate = 0;
  std::int64_t vocabulary = 0;      ///< rows of the word table
  std::int64_t positions = 0;       ///< usable positions: the longest sequence
  std::int64_t token_types = 0;     ///< 0: the family has none, and those of a text are ignored
  std::int64_t first_position = 0;  ///< of a sequence's first token, in the position table
  /// Tokens of this id stand at position first_position - 1, and are not counted by those behind them.
  std::optional<std::int64_t> uncounted_id;
  std::string activation;  ///< as the config calls it
};

struct ImportedModel {
  /// Verified; inputs ids, positions, types: i32[tokens]; one output, "embedding" or "tokens", "logits" of a
  /// classifier, "predictions" of a masked language model.
  Graph graph;
  EncoderSizes sizes;
  std::optional<Graph> decoder;  ///< of a masked language model (graph/import/heads.h)
};

/// Builds the graph of the family that config.json's model_type names. Throws Error{unsupported_model}, in
/// one sentence with file, key or tensor, expected and found.
ImportedModel import_model(const ImportSource& source, const ImportTarget& target);

/// The model types that import_model knows.
std::span<const std::string_view> model_types();

// ---- one file each ----
ImportedModel import_albert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_bert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_gte_new(const ImportSource& source, const ImportTarget& target);
ImportedModel import_jina_bert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_modernbert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_nomic_bert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_deberta(const ImportSource& source, const ImportTarget& target);
ImportedModel import_distilbert(const ImportSource& source, const ImportTarget& target);
ImportedModel import_electra(const ImportSource& source, const ImportTarget& target);
ImportedModel import_mpnet(const ImportSource& source, const ImportTarget& target);
/// RoBERTa, XLM-RoBERTa and CamemBERT.
ImportedModel import_roberta(const ImportSource& source, const ImportTarget& target);

}  // namespace nybble::graph
