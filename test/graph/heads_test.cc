// Heads as graphs: which tensors they read, and what becomes of them.
#include "graph/import/heads.h"

#include <catch2/catch.hpp>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "throws.h"
#include "tiny_bert.h"

using namespace nybble::graph;
using namespace nybble::graph::test;
using nlohmann::json;
using nybble::ErrorCode;

namespace {

void put_linear(TensorTable& tensors, const std::string& name, std::int64_t n, std::int64_t k) {
  tensors[name + ".weight"] = {DType::f32, {n, k}};
  tensors[name + ".bias"] = {DType::f32, {n}};
}

/// A BERT of one layer with all its heads, of three labels.
TensorTable bert_with_heads() {
  TensorTable tensors = bert_tensors(tiny_bert_config(1), "bert.");
  put_linear(tensors, "bert.pooler.dense", 8, 8);
  put_linear(tensors, "classifier", 3, 8);
  put_linear(tensors, "cls.predictions.transform.dense", 8, 8);
  tensors["cls.predictions.transform.LayerNorm.gamma"] = {DType::f32, {8}};
  tensors["cls.predictions.transform.LayerNorm.beta"] = {DType::f32, {8}};
  tensors["cls.predictions.bias"] = {DType::f32, {30}};
  return tensors;
}

ImportTarget target_of(Head head) {
  ImportTarget target;
  target.head = head;
  target.labels = 3;
  return target;
}

ImportedModel import_head(Head head, const TensorTable& tensors) {
  return import_tiny(tiny_bert_config(1), tensors, target_of(head));
}

/// The graph's text from the value `first` on.
std::string tail(const Graph& graph, const std::string& first) {
  const std::string text = print(graph);
  return text.substr(text.find("\n%" + first + " :") + 1);
}

std::string error_without(Head head, const std::string& tensor) {
  TensorTable tensors = bert_with_heads();
  REQUIRE(tensors.erase(tensor) == 1);
  return sentence_of(ErrorCode::unsupported_model, [&] { import_head(head, tensors); });
}

}  // namespace

TEST_CASE("a head for sequences reads the first rows and keeps the file's weights") {
  const Graph graph = import_head(Head::sequence_classification, bert_with_heads()).graph;
  CHECK(tail(graph, "pooled") ==
        "%pooled : f32[sequences,8] = pool(%layer.0) {mode = \"cls\"}\n"
        "%head.dense.product : f32[sequences,8] = linear(%pooled, %head.dense.weight) {format = "
        "\"exact_f32\"}\n"
        "%head.dense : f32[sequences,8] = add_bias(%head.dense.product, %head.dense.bias)\n"
        "%head.active : f32[sequences,8] = activation(%head.dense) {kind = \"tanh\"}\n"
        "%logits.product : f32[sequences,3] = linear(%head.active, %logits.weight) {format = \"exact_f32\"}\n"
        "%logits : f32[sequences,3] = add_bias(%logits.product, %logits.bias)\n"
        "output logits = %logits\n");
}

TEST_CASE("passes leave a head's weights alone and compute first rows for it only") {
  Graph graph = import_head(Head::sequence_classification, bert_with_heads()).graph;
  run_passes(graph, {});
  const std::string text = print(graph);
  CHECK(text.find("queries = \"first\"") != std::string::npos);
  CHECK(tail(graph, "head.active") ==
        "%head.active : f32[sequences,8] = linear(%layer.0, %head.dense.weight, %head.dense.bias) "
        "{activation = \"tanh\", format = \"exact_f32\"}\n"
        "%logits : f32[sequences,3] = linear(%head.active, %logits.weight, %logits.bias) "
        "{format = \"exact_f32\"}\n"
        "output logits = %logits\n");
}

TEST_CASE("a head for tokens is a classifier of every row") {
  const Graph graph = import_head(Head::token_classification, bert_with_heads()).graph;
  CHECK(tail(graph, "logits.product") ==
        "%logits.product : f32[tokens,3] = linear(%layer.0, %logits.weight) {format = \"exact_f32\"}\n"
        "%logits : f32[tokens,3] = add_bias(%logits.product, %logits.bias)\n"
        "output logits = %logits\n");
}

TEST_CASE("a masked language model's decoder is a graph of its own, whose weight may be the word table") {
  TensorTable tensors = bert_with_heads();
  const auto weight_of = [&] {
    const ImportedModel model = import_head(Head::masked_lm, tensors);
    REQUIRE(model.decoder);
    REQUIRE_NOTHROW(verify(*model.decoder));
    CHECK(model.graph.outputs[0].name == "predictions");
    CHECK(tail(*model.decoder, "product") ==
          "%product : f32[tokens,30] = linear(%rows, %weight)\n"
          "%logits : f32[tokens,30] = add_bias(%product, %bias)\n"
          "output logits = %logits\n");
    for (const Value& value : model.decoder->values) {
      if (value.name == "weight") return value.tensors[0];
    }
    return std::string();
  };
  CHECK(weight_of() == "bert.embeddings.word_embeddings.weight");
  tensors["cls.predictions.decoder.weight"] = {DType::f32, {30, 8}};
  CHECK(weight_of() == "cls.predictions.decoder.weight");
}

TEST_CASE("a head that lacks a tensor names it") {
  const std::string start = "m/model.safetensors: tensor ";
  CHECK(error_without(Head::sequence_classification, "bert.pooler.dense.weight") ==
        start + "bert.pooler.dense.weight: expected shape [8, 8], found no such tensor");
  CHECK(error_without(Head::token_classification, "classifier.bias") ==
        start + "classifier.bias: expected shape [3], found no such tensor");
  CHECK(error_without(Head::masked_lm, "cls.predictions.bias") ==
        start + "cls.predictions.bias: expected shape [30], found no such tensor");
}

TEST_CASE("a folder's head is known by its last tensor") {
  const TensorTable tensors = bert_with_heads();
  CHECK(head_tensor("bert", Head::sequence_classification, tensors) == "classifier.weight");
  CHECK(head_tensor("electra", Head::sequence_classification, tensors) == "classifier.out_proj.weight");
  CHECK(head_tensor("electra", Head::token_classification, tensors) == "classifier.weight");
  CHECK(head_tensor("deberta-v2", Head::masked_lm, tensors) == "cls.predictions.transform.dense.weight");
  CHECK(head_tensor("deberta-v2", Head::masked_lm, {{"lm_predictions.lm_head.dense.weight", {}}}) ==
        "lm_predictions.lm_head.dense.weight");
  CHECK(head_tensor("t5", Head::token_classification, tensors).empty());
}
