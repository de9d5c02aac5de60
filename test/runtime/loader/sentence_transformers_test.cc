#include "runtime/sentence_transformers.h"

#include <catch2/catch.hpp>
#include <limits>

#include "runtime/mapped_file.h"
#include "test/runtime/loader/temporary_folder.h"

using namespace nybble;
using namespace nybble::runtime;
using nybble::test::failure_of;
using nybble::test::TemporaryFolder;

namespace {

constexpr std::string_view kModulesBefore6 = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";
constexpr std::string_view kModules6 = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling",
   "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.base.modules.normalize.Normalize"}])";

JsonObject object(std::string_view text) { return {parse_json(text, "c.json"), "c.json"}; }

template <typename Function>
std::string sentence_of(Function&& function) {
  const auto failure = failure_of(std::forward<Function>(function));
  CHECK(failure.code == ErrorCode::unsupported_model);
  return failure.sentence;
}

std::string pooling_sentence(std::string_view text) {
  return sentence_of([&] { parse_pooling(object(text)); });
}

std::string modules_sentence(std::string_view text) {
  return sentence_of([&] { parse_modules(parse_json(text, "m.json"), "m.json"); });
}

std::string options_sentence(std::string_view text) {
  return sentence_of([&] { parse_transformer_options(object(text)); });
}

}  // namespace

TEST_CASE("a folder as written before version 6 gives its pooling, normalization and length") {
  const TemporaryFolder folder;
  folder.write("modules.json", kModulesBefore6);
  folder.write("1_Pooling/config.json", R"({"word_embedding_dimension": 384, "pooling_mode_cls_token": false,
    "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false})");
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": false})");
  folder.write("tokenizer_config.json", R"({"model_max_length": 512})");
  const auto st = read_modules(folder.path());
  CHECK(st.has_modules);
  CHECK(st.pooling == graph::PoolMode::mean);
  CHECK(st.normalize);
  CHECK(st.transformer_path.empty());
  const auto lengths = read_length_limits(folder.path());
  REQUIRE(lengths.max_seq_length);
  CHECK(lengths.max_seq_length->tokens == 256);
  CHECK(lengths.max_seq_length->source ==
        (folder.path() / "sentence_bert_config.json").string() + ": \"max_seq_length\"");
  REQUIRE(lengths.model_max_length);
  CHECK(lengths.model_max_length->tokens == 512);
}

TEST_CASE("a folder as written by version 6 gives its pooling, normalization and length") {
  const TemporaryFolder folder;
  folder.write("modules.json", kModules6);
  folder.write("1_Pooling/config.json",
               R"({"embedding_dimension": 384, "pooling_mode": "cls", "include_prompt": true})");
  folder.write("2_Normalize/config.json",
               R"({"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"})");
  folder.write("sentence_bert_config.json",
               R"({"transformer_task": "feature-extraction", "modality_config": {"text":
    {"method": "forward", "method_output_name": "last_hidden_state"}}, "module_output_name": "token_embeddings"})");
  folder.write("tokenizer_config.json", R"({"model_max_length": 256, "max_length": 128})");
  folder.write("config_sentence_transformers.json",
               R"({"default_prompt_name": null, "model_type": "SentenceTransformer",
    "prompts": {"document": "", "query": ""}, "similarity_fn_name": "cosine"})");
  const auto st = read_modules(folder.path());
  CHECK(st.pooling == graph::PoolMode::cls);
  CHECK(st.normalize);
  check_model_options(folder.path());
  const auto lengths = read_length_limits(folder.path());
  CHECK_FALSE(lengths.max_seq_length);
  REQUIRE(lengths.model_max_length);
  CHECK(lengths.model_max_length->tokens == 256);
}

TEST_CASE("a folder without modules.json has mean pooling and no normalization") {
  const TemporaryFolder folder;
  const auto st = read_modules(folder.path());
  CHECK_FALSE(st.has_modules);
  CHECK(st.pooling == graph::PoolMode::mean);
  CHECK_FALSE(st.normalize);
  check_model_options(folder.path());
  CHECK_FALSE(read_length_limits(folder.path()).max_seq_length);
}

TEST_CASE("the Transformer module may lie in a folder of its own") {
  const TemporaryFolder folder;
  folder.write(
      "modules.json",
      R"([{"path":"0_Transformer","type":"a.Transformer"},{"path":"1_Pooling","type":"b.c.Pooling"}])");
  folder.write("1_Pooling/config.json", "{}");
  const auto st = read_modules(folder.path());
  CHECK(st.transformer_path == "0_Transformer");
  CHECK_FALSE(st.normalize);
  CHECK(st.pooling == graph::PoolMode::mean);
}

TEST_CASE("an unknown module is refused by its name") {
  CHECK(modules_sentence(R"([{"path":"","type":"a.Transformer"},{"path":"1","type":"a.Pooling"},
                             {"path":"2","type":"sentence_transformers.models.Dense"}])") ==
        "m.json: module 2: \"type\": expected a module Transformer, Pooling or Normalize, found "
        "\"sentence_transformers.models.Dense\"");
  CHECK(modules_sentence(R"([{"path":""}])").find("found nothing") != std::string::npos);
}

TEST_CASE("modules in another order or number are refused with what was found") {
  const std::string start = "m.json: expected the modules Transformer, Pooling and perhaps Normalize, found ";
  CHECK(modules_sentence("[]") == start + "none");
  CHECK(modules_sentence(R"([{"path":"","type":"a.Transformer"}])") == start + "Transformer");
  CHECK(modules_sentence(R"([{"path":"","type":"Pooling"},{"path":"","type":"Transformer"}])") ==
        start + "Pooling, Transformer");
  CHECK(modules_sentence(R"([{"type":"Transformer"},{"type":"Normalize"}])") ==
        start + "Transformer, Normalize");
}

TEST_CASE("a modules.json that is not an array of modules is refused") {
  CHECK(modules_sentence("{}") == "m.json: expected an array of modules, found an object");
  CHECK(modules_sentence("[1]") == "m.json: module 0: expected a JSON object, found 1");
  CHECK(modules_sentence(R"([{"type":1}])") == "m.json: module 0: \"type\": expected a string, found 1");
  CHECK(modules_sentence(R"([{"type":"Transformer","path":[]}])") ==
        "m.json: module 0: \"path\": expected a string, found an array of 0");
}

TEST_CASE("a module path that leaves the folder is refused") {
  for (const char* path : {"../x", "/etc", "a/../../b", "..", "a\\\\b", "a\\u0000b"}) {
    INFO(path);
    const auto sentence = modules_sentence(R"([{"type":"Transformer","path":")" + std::string(path) + "\"}]");
    CHECK(sentence.find("m.json: module 0: \"path\": expected a path inside the model folder, found \"") ==
          0);
  }
}

TEST_CASE("mean and cls are read in both layouts, and none set means mean") {
  CHECK(parse_pooling(object(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})")) ==
        graph::PoolMode::cls);
  CHECK(parse_pooling(object(R"({"pooling_mode_mean_tokens":true})")) == graph::PoolMode::mean);
  CHECK(parse_pooling(object(R"({"pooling_mode_mean_tokens":false})")) == graph::PoolMode::mean);
  CHECK(parse_pooling(object("{}")) == graph::PoolMode::mean);
  CHECK(parse_pooling(object(R"({"pooling_mode":"mean"})")) == graph::PoolMode::mean);
  CHECK(parse_pooling(object(R"({"pooling_mode":["cls"]})")) == graph::PoolMode::cls);
  // Where both layouts are mixed the newer key wins.
  CHECK(parse_pooling(object(R"({"pooling_mode":"cls","pooling_mode_mean_tokens":true})")) ==
        graph::PoolMode::cls);
}

TEST_CASE("other poolings, several at once and wrong types are refused by name") {
  CHECK(pooling_sentence(R"({"pooling_mode_max_tokens":true})") ==
        "c.json: \"pooling_mode_max_tokens\": expected the pooling mean or cls, found \"max\"");
  CHECK(pooling_sentence(R"({"pooling_mode":"lasttoken"})") ==
        "c.json: \"pooling_mode\": expected the pooling mean or cls, found \"lasttoken\"");
  CHECK(
      pooling_sentence(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true})") ==
      "c.json: expected one pooling, found both \"pooling_mode_cls_token\" and \"pooling_mode_mean_tokens\"");
  CHECK(pooling_sentence(R"({"pooling_mode":["mean","cls"]})") ==
        "c.json: \"pooling_mode\": expected one pooling, found an array of 2");
  CHECK(pooling_sentence(R"({"pooling_mode":7})") == "c.json: \"pooling_mode\": expected a string, found 7");
  CHECK(pooling_sentence(R"({"pooling_mode":[]})") ==
        "c.json: \"pooling_mode\": expected one pooling, found an array of 0");
  CHECK(pooling_sentence(R"({"pooling_mode_cls_token":1})") ==
        "c.json: \"pooling_mode_cls_token\": expected true or false, found 1");
}

TEST_CASE("a Pooling module without its configuration is an error that names the file") {
  const TemporaryFolder folder;
  folder.write("modules.json", kModules6);
  const auto failure = failure_of([&] { read_modules(folder.path()); });
  CHECK(failure.code == ErrorCode::io);
  CHECK(failure.sentence ==
        (folder.path() / "1_Pooling/config.json").string() + ": cannot open it: No such file or directory");
}

TEST_CASE("bad JSON in each configuration file is refused with file, line and column") {
  const TemporaryFolder folder;
  folder.write("modules.json", kModules6);
  folder.write("1_Pooling/config.json", "{}");
  for (const char* name :
       {"modules.json", "1_Pooling/config.json", "2_Normalize/config.json", "sentence_bert_config.json",
        "tokenizer_config.json", "config_sentence_transformers.json"}) {
    INFO(name);
    const auto file = folder.path() / name;
    const auto good = is_present(file) ? read_text_file(file) : std::string("{}");
    folder.write(name, "{\"a\":\n }");
    const auto sentence = sentence_of([&] {
      read_modules(folder.path());
      check_model_options(folder.path());
      read_length_limits(folder.path());
    });
    CHECK(sentence.find(file.string() + ": line 2, column 2: expected valid JSON, found ") == 0);
    folder.write(name, good);
  }
}

TEST_CASE("a Normalize module that works on something else is refused") {
  CHECK(sentence_of([] { check_normalize(object(R"({"module_input_name":"token_embeddings"})")); }) ==
        "c.json: \"module_input_name\": expected \"sentence_embedding\", found \"token_embeddings\"");
}

TEST_CASE("options that would change the embedding are refused") {
  const auto sentence = [](std::string_view text) {
    return sentence_of([&] { check_model_options(object(text)); });
  };
  CHECK(sentence(R"({"default_prompt_name":"query","prompts":{"query":"query: "}})") ==
        "c.json: \"default_prompt_name\": expected null or an empty prompt: prompts are not put before "
        "texts, found \"query\"");
  CHECK(sentence(R"({"truncate_dim":64})") ==
        "c.json: \"truncate_dim\": expected null: embeddings are not truncated, found 64");
  CHECK(sentence(R"({"model_type":"CrossEncoder"})") ==
        "c.json: \"model_type\": expected \"SentenceTransformer\", found \"CrossEncoder\"");
  CHECK(sentence(R"({"prompts":[]})") == "c.json: \"prompts\": expected an object, found an array of 0");
  check_model_options(object(R"({"default_prompt_name":"query","prompts":{"query":""}})"));
  check_model_options(object(R"({"default_prompt_name":null,"prompts":{"query":"query: "}})"));
}

TEST_CASE("another output, task or processing of the Transformer module is refused") {
  CHECK(options_sentence(R"({"transformer_task":"text-generation"})") ==
        "c.json: \"transformer_task\": expected \"feature-extraction\", found \"text-generation\"");
  CHECK(options_sentence(R"({"module_output_name":"scores"})")
            .find("expected \"token_embeddings\", found \"scores\"") != std::string::npos);
  CHECK(options_sentence(R"({"modality_config":{"text":{"method_output_name":"pooler_output"}}})") ==
        "c.json: modality_config: text: \"method_output_name\": expected \"last_hidden_state\", found "
        "\"pooler_output\"");
  CHECK(options_sentence(R"({"processing_kwargs":{"text":{}}})")
            .find("\"processing_kwargs\": expected nothing, found an object") != std::string::npos);
  CHECK(options_sentence(R"({"modality_config":[]})") ==
        "c.json: \"modality_config\": expected an object, found an array of 0");
}

TEST_CASE("max_seq_length of a wrong type or of 0 is refused, null is as absent") {
  CHECK(options_sentence(R"({"max_seq_length":"256"})") ==
        "c.json: \"max_seq_length\": expected a whole number of at least 0, found \"256\"");
  CHECK(options_sentence(R"({"max_seq_length":0})") ==
        "c.json: \"max_seq_length\": expected at least 1 token, found 0");
  CHECK_FALSE(parse_transformer_options(object(R"({"max_seq_length":null})")).max_seq_length);
}

TEST_CASE("a length among the tokenizer's arguments wins") {
  const auto options = parse_transformer_options(
      object(R"({"max_seq_length":256,"tokenizer_args":{"model_max_length":128}})"));
  REQUIRE(options.max_seq_length);
  CHECK(options.max_seq_length->tokens == 128);
  CHECK(options.max_seq_length->source == "c.json: tokenizer_args: \"model_max_length\"");
}

TEST_CASE("the older names of the Transformer's configuration are read") {
  const TemporaryFolder folder;
  folder.write("sentence_bert_config.json", "{}");
  folder.write("sentence_xlm-roberta_config.json", R"({"max_seq_length": 64})");
  const auto lengths = read_length_limits(folder.path());
  REQUIRE(lengths.max_seq_length);
  CHECK(lengths.max_seq_length->tokens == 64);
}

TEST_CASE("model_max_length may be a number, 1e30 in any notation, null or absent") {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const auto length = [](std::string_view text) { return parse_model_max_length(object(text)); };
  CHECK(length(R"({"model_max_length":512})")->tokens == 512);
  CHECK(length(R"({"model_max_length":1000000000000000019884624838656})")->tokens == kMax);
  CHECK(length(R"({"model_max_length":1e30})")->tokens == kMax);
  CHECK_FALSE(length(R"({"model_max_length":null})"));
  CHECK_FALSE(length("{}"));
  CHECK(sentence_of([&] { length(R"({"model_max_length":true})"); }) ==
        "c.json: \"model_max_length\": expected a whole number of at least 0, found true");
}

TEST_CASE("do_lower_case is idle where the tokenizer lower-cases and refused where it does not") {
  const TemporaryFolder folder;
  const auto file =
      folder.write("sentence_bert_config.json", R"({"max_seq_length": 8, "do_lower_case": true})");
  for (const char* normalizer :
       {R"({"type":"BertNormalizer","lowercase":true})", R"({"type":"Lowercase"})",
        R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]})"}) {
    INFO(normalizer);
    folder.write("tokenizer.json", "{\"normalizer\":" + std::string(normalizer) + "}");
    CHECK(read_length_limits(folder.path()).max_seq_length->tokens == 8);
  }
  for (const char* normalizer :
       {R"({"type":"BertNormalizer","lowercase":false})", "null", R"({"type":3})", "[]",
        R"({"type":"Sequence","normalizers":[{"type":"NFC"}]})", R"({"type":"Sequence"})"}) {
    INFO(normalizer);
    folder.write("tokenizer.json", "{\"normalizer\":" + std::string(normalizer) + "}");
    CHECK(sentence_of([&] { read_length_limits(folder.path()); }) ==
          file.string() +
              ": \"do_lower_case\": expected false, or a tokenizer.json that lower-cases, found true");
  }
}
