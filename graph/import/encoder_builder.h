// What the importers share: the pieces of which encoders are made, each found in the model's files by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/import/config_reader.h"
#include "graph/import/importer.h"

namespace nybble::graph {

/// The IR's name of an activation of Hugging Face; fails with `key` and those that there are.
std::string activation_kind(const ConfigReader& config, std::string_view key, std::string_view found);

/// The same for the kind of an Op::gate.
std::string gate_kind(const ConfigReader& config, std::string_view key, std::string_view found);

/// Fails unless config.json's `key` is absent or `expected`.
void require_string(const ConfigReader& config, std::string_view key, std::string_view expected);

/// Refuses decoders: is_decoder, add_cross_attention.
void refuse_decoders(const ConfigReader& config);

/// The keys that most families share: hidden_size, num_hidden_layers, num_attention_heads, intermediate_size,
/// vocab_size, max_position_embeddings, hidden_act. There are no token types, and positions begin at 0.
EncoderSizes read_sizes(const ConfigReader& config, std::string family);

/// Fails unless sizes.heads divides sizes.hidden; `heads_key` and `hidden_key` name them in the error.
void check_heads(const ConfigReader& config, const EncoderSizes& sizes,
                 std::string_view heads_key = "num_attention_heads",
                 std::string_view hidden_key = "hidden_size");

enum class Bias { none, with };
enum class GateOrder { gate_first, up_first };  ///< of the halves of a row

/// Builds a graph. Every function names its result `name` and reads tensors at `prefix` + the name given; a
/// tensor that is missing or of another shape is Error{unsupported_model}. `source` must outlive it.
class EncoderBuilder {
 public:
  EncoderBuilder(const ImportSource& import_source, EncoderSizes encoder_sizes);

  const ImportSource& source;
  Graph graph;
  ConfigReader config;
  WeightReader weights;
  EncoderSizes sizes;
  std::string prefix;      ///< before the name of every tensor: "bert."
  double epsilon = 1e-12;  ///< of every layernorm

  ValueId ids, positions, types;  ///< the inputs of every encoder, i32[tokens]

  /// Takes `candidate` as the prefix if no tensor begins with `marker` but some with candidate + marker.
  void choose_prefix(std::string_view marker, std::string_view candidate);

  /// A row of `table` for each of `indices`, tables[i] at indices[i], summed.
  ValueId embed(const std::string& name, std::vector<ValueId> indices, const std::vector<ValueId>& tables);
  /// The weight `tensor`.weight as a table [rows, columns].
  ValueId table(const std::string& name, const std::string& tensor, std::int64_t rows, std::int64_t columns);
  /// x · Wᵀ (+ b) of `tensor`.weight [n, k] and `tensor`.bias [n]; k is the width of x.
  ValueId linear(const std::string& name, const std::string& tensor, ValueId x, std::int64_t n,
                 Bias bias = Bias::with);
  /// The same of several tensors, `n` columns each, side by side.
  ValueId linear(const std::string& name, const std::vector<std::string>& tensors, ValueId x, std::int64_t n,
                 Bias bias = Bias::with);
  /// `tensor`.weight (or .gamma) and .bias (or .beta).
  ValueId layernorm(const std::string& name, const std::string& tensor, ValueId x, Bias bias = Bias::with);
  /// layernorm(x + shortcut).
  ValueId add_and_norm(const std::string& name, const std::string& tensor, ValueId x, ValueId shortcut,
                       Bias bias = Bias::with);
  ValueId add(const std::string& name, ValueId x, ValueId y);
  ValueId activation(const std::string& name, ValueId x, const std::string& kind);
  ValueId gate(const std::string& name, ValueId both, const std::string& kind,
               GateOrder order = GateOrder::gate_first);
  /// Attention over all tokens, or `window` to each side, of sizes.heads heads; `inputs` as for
  /// Op::attention. `extra` attributes go beside position = "none" and may replace it.
  ValueId attention(const std::string& name, std::vector<ValueId> inputs, std::int64_t window = 0,
                    const Attributes& extra = {});

  std::int64_t width(ValueId rows) const;

  /// What `target` wants of the last layer's rows; the graph is verified and handed over.
  ImportedModel finish(const ImportTarget& target, ValueId x);

 private:
  ImportedModel finish_head(const ImportTarget& target, ValueId x);
};

}  // namespace nybble::graph
