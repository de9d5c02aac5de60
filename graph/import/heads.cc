#include "graph/import/heads.h"

#include <algorithm>
#include <array>
#include <span>

#include "graph/verify.h"

namespace nybble::graph {
namespace {

/// A dense layer on the first row of each sequence, an activation, and the classifier.
struct SequenceHead {
  std::string_view model_type;
  std::string_view dense;
  bool is_encoders;  ///< `dense` has the prefix of the encoder's tensors
  std::string_view activation;
  std::string_view classifier;
};

constexpr std::array kSequenceHeads = {
    SequenceHead{"bert", "pooler.dense", true, "tanh", "classifier"},
    SequenceHead{"nomic_bert", "pooler.dense", true, "tanh", "classifier"},
    SequenceHead{"new", "pooler.dense", true, "tanh", "classifier"},
    SequenceHead{"albert", "pooler", true, "tanh", "classifier"},
    SequenceHead{"roberta", "classifier.dense", false, "tanh", "classifier.out_proj"},
    SequenceHead{"xlm-roberta", "classifier.dense", false, "tanh", "classifier.out_proj"},
    SequenceHead{"camembert", "classifier.dense", false, "tanh", "classifier.out_proj"},
    SequenceHead{"mpnet", "classifier.dense", false, "tanh", "classifier.out_proj"},
    SequenceHead{"electra", "classifier.dense", false, "gelu_erf", "classifier.out_proj"},
    SequenceHead{"distilbert", "pre_classifier", false, "relu", "classifier"},
    // By pooler_hidden_act.
    SequenceHead{"deberta", "pooler.dense", false, "", "classifier"},
    SequenceHead{"deberta-v2", "pooler.dense", false, "", "classifier"},
    // By classifier_activation, and a LayerNorm behind it.
    SequenceHead{"modernbert", "head.dense", false, "", "classifier"},
};

/// A dense layer, an activation, a LayerNorm and the decoder, whose bias may be a tensor beside it.
struct MaskedHead {
  std::string_view model_type;
  std::string_view dense, norm, decoder, bias;
  /// The activation, or the key of config.json that names it.
  std::string_view activation;
};

constexpr std::string_view kBertDense = "cls.predictions.transform.dense";
constexpr std::string_view kBertNorm = "cls.predictions.transform.LayerNorm";
constexpr std::string_view kBertDecoder = "cls.predictions.decoder";
constexpr std::string_view kBertBias = "cls.predictions.bias";

constexpr std::array kMaskedHeads = {
    MaskedHead{"bert", kBertDense, kBertNorm, kBertDecoder, kBertBias, "hidden_act"},
    MaskedHead{"deberta", kBertDense, kBertNorm, kBertDecoder, kBertBias, "hidden_act"},
    MaskedHead{"deberta-v2", kBertDense, kBertNorm, kBertDecoder, kBertBias, "hidden_act"},
    // As Microsoft published it.
    MaskedHead{"deberta-v2", "lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "",
               "lm_predictions.lm_head.bias", "hidden_act"},
    MaskedHead{"nomic_bert", kBertDense, "cls.predictions.transform.layer_norm", kBertDecoder, kBertBias,
               "hidden_act"},
    MaskedHead{"roberta", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias",
               "gelu_erf"},
    MaskedHead{"xlm-roberta", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias",
               "gelu_erf"},
    MaskedHead{"camembert", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias",
               "gelu_erf"},
    MaskedHead{"mpnet", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias", "gelu_erf"},
    MaskedHead{"new", "lm_head.dense", "lm_head.norm", "lm_head.decoder", "lm_head.bias", "hidden_act"},
    MaskedHead{"electra", "generator_predictions.dense", "generator_predictions.LayerNorm",
               "generator_lm_head", "generator_lm_head.bias", "gelu_erf"},
    MaskedHead{"albert", "predictions.dense", "predictions.LayerNorm", "predictions.decoder",
               "predictions.bias", "hidden_act"},
    MaskedHead{"distilbert", "vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias",
               "activation"},
    MaskedHead{"modernbert", "head.dense", "head.norm", "decoder", "decoder.bias", "classifier_activation"},
};

std::string weight_of(std::string_view tensor) { return std::string(tensor) + ".weight"; }
std::string bias_of(std::string_view tensor) { return std::string(tensor) + ".bias"; }

const SequenceHead* sequence_head(std::string_view model_type) {
  const auto found = std::find_if(kSequenceHeads.begin(), kSequenceHeads.end(),
                                  [&](const SequenceHead& head) { return head.model_type == model_type; });
  return found == kSequenceHeads.end() ? nullptr : &*found;
}

/// Of several spellings the one that `contains` a dense layer, else the first.
template <class Contains>
const MaskedHead* masked_head(std::string_view model_type, Contains&& contains) {
  const MaskedHead* first = nullptr;
  for (const MaskedHead& head : kMaskedHeads) {
    if (head.model_type != model_type) continue;
    if (contains(weight_of(head.dense))) return &head;
    if (!first) first = &head;
  }
  return first;
}

const MaskedHead* masked_head(const EncoderBuilder& build) {
  return masked_head(build.config.string("model_type"),
                     [&](const std::string& tensor) { return build.weights.contains(tensor); });
}

[[noreturn]] void refuse(const EncoderBuilder& build, std::string_view head) {
  build.config.fail("model_type", "a family whose models have a head for " + std::string(head),
                    '"' + build.config.string("model_type") + '"');
}

/// A layer of a head: few columns, or few rows, so it keeps the file's weights.
ValueId exact_linear(EncoderBuilder& build, const std::string& name, const std::string& tensor, ValueId x,
                     std::int64_t n, Bias bias = Bias::with) {
  const ValueId weight = build.weights.weight(name + ".weight", weight_of(tensor), {n, build.width(x)});
  const bool has_bias = bias == Bias::with;
  const ValueId vector = has_bias ? build.weights.weight(name + ".bias", bias_of(tensor), {n}) : -1;
  const ValueId product = add_node(build.graph, Op::linear, has_bias ? name + ".product" : name, {x, weight},
                                   {{"format", std::string("exact_f32")}});
  return has_bias ? add_node(build.graph, Op::add_bias, name, {product, vector}) : product;
}

ValueId pooled(EncoderBuilder& build, ValueId x, const std::string& mode) {
  return add_node(build.graph, Op::pool, "pooled", {x}, {{"mode", mode}});
}

std::string activation_of(const EncoderBuilder& build, const std::string& key) {
  // NomicBERT's published configuration names the gate of its layers only.
  const bool is_swiglu = build.config.string_or("activation_function", "") == "swiglu";
  return activation_kind(build.config, key, build.config.string_or(key, is_swiglu ? "silu" : "gelu"));
}

Bias bias_if(bool there) { return there ? Bias::with : Bias::none; }

/// ModernBERT's dense layer, activation and norm, which all its heads have.
ValueId modern_head(EncoderBuilder& build, ValueId x) {
  const Bias bias = bias_if(build.config.boolean_or("classifier_bias", false));
  x = exact_linear(build, "head.dense", "head.dense", x, build.width(x), bias);
  x = build.activation("head.active", x, activation_of(build, "classifier_activation"));
  return build.layernorm("head.norm", "head.norm", x, bias_if(build.config.boolean_or("norm_bias", false)));
}

std::string modern_pooling(const EncoderBuilder& build) {
  constexpr std::array<std::string_view, 2> kModes = {"cls", "mean"};
  std::string mode = build.config.string_or("classifier_pooling", "cls");
  if (std::find(kModes.begin(), kModes.end(), mode) == kModes.end())
    build.config.fail_one_of("classifier_pooling", kModes, mode);
  return mode;
}

/// Layers outside the encoder: their tensors have no prefix.
class WithoutPrefix {
 public:
  explicit WithoutPrefix(EncoderBuilder& build) : build_(build) { kept_.swap(build.prefix); }
  ~WithoutPrefix() { kept_.swap(build_.prefix); }
  WithoutPrefix(const WithoutPrefix&) = delete;
  WithoutPrefix& operator=(const WithoutPrefix&) = delete;
  const std::string& encoders() const { return kept_; }

 private:
  EncoderBuilder& build_;
  std::string kept_;
};

ValueId classify_sequences(EncoderBuilder& build, std::int64_t labels, ValueId x) {
  const std::string model_type = build.config.string("model_type");
  const SequenceHead* head = sequence_head(model_type);
  if (!head) refuse(build, "sequence classification");
  const WithoutPrefix outside(build);
  if (model_type == "modernbert") {
    x = modern_head(build, pooled(build, x, modern_pooling(build)));
  } else {
    const std::string dense = (head->is_encoders ? outside.encoders() : "") + std::string(head->dense);
    x = exact_linear(build, "head.dense", dense, pooled(build, x, "cls"), build.width(x));
    x = build.activation(
        "head.active", x,
        head->activation.empty() ? activation_of(build, "pooler_hidden_act") : std::string(head->activation));
  }
  return exact_linear(build, "logits", std::string(head->classifier), x, labels);
}

ValueId classify_tokens(EncoderBuilder& build, std::int64_t labels, ValueId x) {
  const std::string model_type = build.config.string("model_type");
  if (!sequence_head(model_type)) refuse(build, "token classification");
  const WithoutPrefix outside(build);
  if (model_type == "modernbert") x = modern_head(build, x);
  return exact_linear(build, "logits", "classifier", x, labels);
}

std::int64_t decoder_width(const EncoderBuilder& build, const MaskedHead& head, ValueId x) {
  // ALBERT and ELECTRA go back to the width of their embeddings.
  const bool narrows = head.model_type == "albert" || head.model_type == "electra";
  return narrows ? build.config.integer("embedding_size", 1, 65536) : build.width(x);
}

/// What the decoder reads. It is the size of a small layer and every token may be asked for, so it has the
/// format of the other linears.
ValueId predict(EncoderBuilder& build, ValueId x) {
  const MaskedHead* head = masked_head(build);
  if (!head) refuse(build, "masked language modelling");
  const WithoutPrefix outside(build);
  const bool is_modern = head->model_type == "modernbert";
  const auto flag = [&](const char* key) {
    return bias_if(!is_modern || build.config.boolean_or(key, false));
  };
  // Published without biases.
  const bool lacks_bias = head->model_type == "nomic_bert" && !build.weights.contains(bias_of(head->dense));
  const std::string key(head->activation);
  x = build.linear("predictions.dense", std::string(head->dense), x, decoder_width(build, *head, x),
                   lacks_bias ? Bias::none : flag("classifier_bias"));
  x = build.activation("predictions.active", x, key == "gelu_erf" ? key : activation_of(build, key));
  return build.layernorm("predictions", std::string(head->norm), x, flag("norm_bias"));
}

/// The tensors of the encoder's word table: what the ids look up.
const Value& word_table(const EncoderBuilder& build) {
  for (const Node& node : build.graph.nodes) {
    if (node.op != Op::embed_sum) continue;
    const std::size_t count = node.inputs.size() / 2;
    for (std::size_t i = 0; i < count; ++i) {
      if (node.inputs[i] == build.ids)
        return build.graph.values[static_cast<std::size_t>(node.inputs[count + i])];
    }
  }
  build.config.fail_whole("an encoder with a word table");
}

}  // namespace

ValueId add_head(EncoderBuilder& build, const ImportTarget& target, ValueId x) {
  switch (target.head) {
    case Head::none:
      break;
    case Head::sequence_classification:
      return classify_sequences(build, target.labels, x);
    case Head::token_classification:
      return classify_tokens(build, target.labels, x);
    case Head::masked_lm:
      return predict(build, x);
  }
  return x;
}

Graph masked_lm_decoder(const ImportSource& source, const EncoderBuilder& build, std::int64_t width) {
  const MaskedHead* head = masked_head(build);
  Graph graph;
  graph.name = build.graph.name + ".decoder";
  WeightReader weights(source, graph);
  const std::int64_t rows = build.sizes.vocabulary;
  const ValueId x = add_input(graph, "rows", ElementType::f32, {Extent::tokens(), Extent::of(width)});
  const std::string own = weight_of(head->decoder);
  const std::string tensor = weights.contains(own) ? own : word_table(build).tensors[0];
  ValueId logits =
      add_node(graph, Op::linear, "product", {x, weights.weight("weight", tensor, {rows, width})});
  bool has_bias = true;
  if (head->model_type == "modernbert") has_bias = build.config.boolean_or("decoder_bias", true);
  if (head->model_type == "nomic_bert")
    has_bias = weights.contains(head->bias) || weights.contains(bias_of(head->decoder));
  if (has_bias) {
    const ValueId bias = weights.weight("bias", std::string(head->bias), bias_of(head->decoder), {rows});
    logits = add_node(graph, Op::add_bias, "logits", {logits, bias});
  }
  graph.outputs.push_back({"logits", logits});
  verify(graph);
  return graph;
}

std::string head_tensor(std::string_view model_type, Head head, const TensorTable& tensors) {
  const auto contains = [&](const std::string& tensor) { return tensors.find(tensor) != tensors.end(); };
  if (head == Head::masked_lm) {
    const MaskedHead* found = masked_head(model_type, contains);
    return found ? weight_of(found->dense) : "";
  }
  const SequenceHead* found = sequence_head(model_type);
  if (!found || head == Head::none) return "";
  return head == Head::token_classification ? "classifier.weight" : weight_of(found->classifier);
}

}  // namespace nybble::graph
