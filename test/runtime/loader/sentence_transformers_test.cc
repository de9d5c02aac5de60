#include "runtime/sentence_transformers.h"

#include <catch2/catch.hpp>
#include <limits>
#include <sstream>

#include "runtime/mapped_file.h"
#include "test/runtime/loader/temporary_folder.h"

using namespace nybble;
using namespace nybble::runtime;
using nybble::test::failure_of;
using nybble::test::TemporaryFolder;

namespace {

using Modes = std::vector<graph::PoolMode>;

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
  CHECK(st.pooling.modes == Modes{graph::PoolMode::mean});
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
  CHECK(st.pooling.modes == Modes{graph::PoolMode::cls});
  CHECK(st.normalize);
  const auto lengths = read_length_limits(folder.path());
  CHECK_FALSE(lengths.max_seq_length);
  REQUIRE(lengths.model_max_length);
  CHECK(lengths.model_max_length->tokens == 256);
}

TEST_CASE("a folder without modules.json has mean pooling and no normalization") {
  const TemporaryFolder folder;
  const auto st = read_modules(folder.path());
  CHECK_FALSE(st.has_modules);
  CHECK(st.pooling.modes == Modes{graph::PoolMode::mean});
  CHECK_FALSE(st.normalize);
  CHECK_FALSE(read_length_limits(folder.path()).max_seq_length);
}

TEST_CASE("the Transformer module may lie in a folder of its own") {
  const TemporaryFolder folder;
  folder.write(
      "modules.json",
      R"([{"path":"0_Transformer","type":"sentence_transformers.models.Transformer"},{"path":"1_Pooling","type":"Pooling"}])");
  folder.write("1_Pooling/config.json", "{}");
  const auto st = read_modules(folder.path());
  CHECK(st.transformer_path == "0_Transformer");
  CHECK_FALSE(st.normalize);
  CHECK(st.pooling.modes == Modes{graph::PoolMode::mean});
}

TEST_CASE("an unknown module, or one of the folder's own code, is refused by its name") {
  const std::string start =
      ": \"type\": expected one of sentence-transformers' modules Transformer, MLMTransformer, Pooling, "
      "Dense, "
      "Normalize, LayerNorm, Dropout, MultiVectorMask, SpladePooling, found ";
  CHECK(modules_sentence(R"([{"path":"","type":"Transformer"},{"path":"1","type":"Pooling"},
                             {"path":"2","type":"sentence_transformers.models.CNN"}])") ==
        "m.json: module 2" + start + "\"sentence_transformers.models.CNN\"");
  CHECK(modules_sentence(R"([{"path":"","type":"custom_st.Transformer"}])") ==
        "m.json: module 0" + start + "\"custom_st.Transformer\"");
  CHECK(modules_sentence(R"([{"path":""}])").find("found nothing") != std::string::npos);
}

TEST_CASE("modules in an order that makes no embedding are refused with what was found") {
  const std::string start =
      ": expected the modules Transformer, Pooling and perhaps Dense and Normalize, or Transformer and "
      "SpladePooling, "
      "or Transformer, Dense and MultiVectorMask, found ";
  const auto found = [&](const std::string& types) {
    const TemporaryFolder folder;
    nlohmann::json modules = nlohmann::json::array();
    std::istringstream in(types);
    for (std::string type; in >> type;) {
      modules.push_back({{"type", type}, {"path", type}});
      folder.write(type + "/config.json", R"({"out_features": 3})");
    }
    folder.write("modules.json", modules.dump());
    const std::string sentence = sentence_of([&] { read_modules(folder.path()); });
    const auto at = sentence.find(start);
    CHECK(at != std::string::npos);
    return at == std::string::npos ? sentence : sentence.substr(at + start.size());
  };
  CHECK(found("") == "none");
  CHECK(found("Transformer") == "Transformer");
  CHECK(found("Pooling Transformer") == "Pooling, Transformer");
  CHECK(found("Transformer Normalize") == "Transformer, Normalize");
  CHECK(found("Transformer Pooling Pooling") == "Transformer, Pooling, Pooling");
  CHECK(found("Transformer SpladePooling Normalize") == "Transformer, SpladePooling, Normalize");
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

TEST_CASE("poolings are read in both layouts, one or several, and none set means mean") {
  using enum graph::PoolMode;
  const auto modes = [](std::string_view text) { return parse_pooling(object(text)).modes; };
  CHECK(modes(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})") == Modes{cls});
  CHECK(modes(R"({"pooling_mode_mean_tokens":true})") == Modes{mean});
  CHECK(modes(R"({"pooling_mode_mean_tokens":false})") == Modes{mean});
  CHECK(modes("{}") == Modes{mean});
  CHECK(modes(R"({"pooling_mode":"mean"})") == Modes{mean});
  CHECK(modes(R"({"pooling_mode":["cls"]})") == Modes{cls});
  CHECK(modes(R"({"pooling_mode":["lasttoken","weightedmean","cls"]})") == Modes{last, weighted_mean, cls});
  // Flags have one order, whatever that of the keys.
  CHECK(modes(R"({"pooling_mode_mean_sqrt_len_tokens":true,"pooling_mode_max_tokens":true})") ==
        Modes{max, mean_sqrt_len});
  // Where both layouts are mixed the newer key wins.
  CHECK(modes(R"({"pooling_mode":"cls","pooling_mode_mean_tokens":true})") == Modes{cls});
  CHECK(parse_pooling(object("{}")).include_prompt);
  CHECK_FALSE(parse_pooling(object(R"({"include_prompt":false})")).include_prompt);
}

TEST_CASE("unknown poolings and wrong types are refused by name") {
  const std::string names =
      "c.json: \"pooling_mode\": expected one or several of the poolings cls, max, mean, "
      "mean_sqrt_len_tokens, "
      "weightedmean, lasttoken, found ";
  CHECK(pooling_sentence(R"({"pooling_mode":"median"})") == names + "\"median\"");
  CHECK(pooling_sentence(R"({"pooling_mode":["mean","median"]})") == names + "an array of 2");
  CHECK(pooling_sentence(R"({"pooling_mode":7})") == names + "7");
  CHECK(pooling_sentence(R"({"pooling_mode":[]})") == names + "an array of 0");
  CHECK(pooling_sentence(R"({"pooling_mode_cls_token":1})") ==
        "c.json: \"pooling_mode_cls_token\": expected true or false, found 1");
  CHECK(pooling_sentence(R"({"include_prompt":"no"})") ==
        "c.json: \"include_prompt\": expected true or false, found \"no\"");
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
      read_length_limits(folder.path());
    });
    CHECK(sentence.find(file.string() + ": line 2, column 2: expected valid JSON, found ") == 0);
    folder.write(name, good);
  }
}

TEST_CASE("modules with weights say their width, activation and residual") {
  const auto dense = [](std::string_view text) {
    return parse_head_module({"Dense", "2_Dense"}, 2, object(text), Level::embedding);
  };
  const auto tanh = dense(R"({"in_features": 40, "out_features": 24})");
  CHECK(tanh.outputs == 24);
  CHECK(tanh.bias);
  CHECK(tanh.activation == "tanh");
  CHECK(tanh.tensors == "2_Dense/");
  CHECK(tanh.residual == graph::HeadModule::Residual::none);
  const auto plain = dense(R"({"in_features": 40, "out_features": 40, "bias": false, "use_residual": true,
                               "activation_function": "torch.nn.modules.linear.Identity"})");
  CHECK(plain.activation.empty());
  CHECK_FALSE(plain.bias);
  CHECK(plain.residual == graph::HeadModule::Residual::input);
  CHECK(dense(R"({"in_features": 4, "out_features": 40, "use_residual": true})").residual ==
        graph::HeadModule::Residual::projected);
}

TEST_CASE("a module that works on something else, or by another activation, is refused") {
  const auto sentence = [](std::string type, std::string_view text, Level level = Level::embedding) {
    return sentence_of([&] { parse_head_module({type, "m"}, 1, object(text), level); });
  };
  CHECK(sentence("Normalize", R"({"module_input_name":"token_embeddings"})") ==
        "c.json: \"module_input_name\": expected \"sentence_embedding\", found \"token_embeddings\"");
  CHECK(sentence("Dense", R"({"out_features":3,"module_output_name":"x"})", Level::tokens) ==
        "c.json: \"module_output_name\": expected \"token_embeddings\", found \"x\"");
  CHECK(sentence("Dense", R"({"out_features":3,"activation_function":"torch.nn.modules.activation.Mish"})")
            .find("c.json: \"activation_function\": expected one of torch.nn.modules.linear.Identity, ") ==
        0);
  CHECK(sentence("Dense", R"({"out_features":3,"activation_function":"mine.Tanh"})")
            .find("found \"mine.Tanh\"") != std::string::npos);
  CHECK(sentence("Dense", "{}") ==
        "c.json: \"out_features\": expected a number from 1 to 65536, found nothing");
  CHECK(sentence("Dense", R"({"out_features":0})") ==
        "c.json: \"out_features\": expected a number from 1 to 65536, found 0");
  CHECK(sentence("LayerNorm", R"({"dimension":3})", Level::tokens) ==
        "c.json: expected LayerNorm after Pooling, found it before");
}

TEST_CASE("prompts, their default and dimensions are read, and refused by name where they are odd") {
  const auto sentence = [](std::string_view text) {
    return sentence_of([&] {
      SentenceTransformers st;
      take_model_options(object(text), st);
    });
  };
  SentenceTransformers st;
  take_model_options(object(R"({"default_prompt_name":"query","prompts":{"query":"query: ","empty":null},
                                "truncate_dim":64,"model_type":"SentenceTransformer"})"),
                     st);
  CHECK(st.dimensions == 64);
  CHECK(st.prompts.text(std::nullopt) == "query: ");
  CHECK(st.prompts.text("empty").empty());
  CHECK(sentence(R"({"default_prompt_name":"query","prompts":{"passage":""}})") ==
        "c.json: \"default_prompt_name\": expected null or a name among the prompts, found \"query\"");
  CHECK(sentence(R"({"truncate_dim":0})") ==
        "c.json: \"truncate_dim\": expected null, or a number of at least 1 where the model pools, found 0");
  CHECK(sentence(R"({"model_type":"CrossEncoder"})") ==
        "c.json: \"model_type\": expected \"SentenceTransformer\", found \"CrossEncoder\"");
  CHECK(sentence(R"({"prompts":[]})") == "c.json: prompts: expected a JSON object, found an array of 0");
  CHECK(sentence(R"({"prompts":{"query":3}})") == "c.json: prompts: \"query\": expected a string, found 3");
}

TEST_CASE("sparse pooling is the greatest or the sum") {
  CHECK(parse_sparse_pooling(object("{}")) == SparsePooling{});
  CHECK(parse_sparse_pooling(object(R"({"pooling_strategy":"sum","activation_function":"log1p_relu"})")) ==
        SparsePooling{true, true});
  CHECK(sentence_of([] { parse_sparse_pooling(object(R"({"pooling_strategy":"mean"})")); }) ==
        "c.json: \"pooling_strategy\": expected \"max\" or \"sum\", found \"mean\"");
  CHECK(sentence_of([] { parse_sparse_pooling(object(R"({"activation_function":"gelu"})")); }) ==
        "c.json: \"activation_function\": expected \"relu\" or \"log1p_relu\", found \"gelu\"");
}

TEST_CASE("PyLate's and Stanford's folders say what queries and documents have") {
  const MultiVector pylate = parse_pylate(object(R"({"query_prefix":"[Q] ","document_prefix":"[D] ",
      "query_length":32,"document_length":180,"attend_to_expansion_tokens":true})"));
  CHECK(pylate.query_marker == "[Q] ");
  CHECK(pylate.document_length == 180);
  REQUIRE(pylate.expansion);
  CHECK(pylate.expansion->length == 32);
  CHECK(pylate.expansion->is_attended);
  CHECK(pylate.skipped.size() == 32);
  CHECK_FALSE(parse_pylate(object(R"({"do_query_expansion":false})")).expansion);
  CHECK_FALSE(parse_pylate(object(R"({"query_expansion":null})")).expansion);
  const MultiVector stanford =
      parse_artifact_metadata(object(R"({"query_maxlen":16,"mask_punctuation":false})"));
  CHECK(stanford.query_marker == "[unused0]");
  CHECK(stanford.expansion->length == 16);
  CHECK_FALSE(stanford.expansion->is_attended);
  CHECK(stanford.skipped.empty());
  CHECK(is_stanford_colbert(object(R"({"architectures":["HF_ColBERT"]})")));
  CHECK_FALSE(is_stanford_colbert(object(R"({"architectures":["BertModel"]})")));
}

TEST_CASE("a wrong query expansion or skip list is refused by name") {
  const auto sentence = [](const std::string& text) {
    return sentence_of([&] {
      MultiVector multi_vector;
      take_transformer_options(object(text), multi_vector);
      take_mask(object(text), multi_vector);
    });
  };
  CHECK(sentence(R"({"query_expansion":{"strategy":"max","length":3}})") ==
        "c.json: query_expansion: \"strategy\": expected \"fixed\" or \"min\", found \"max\"");
  CHECK(sentence(R"({"query_expansion":{"strategy":"min"}})") ==
        "c.json: query_expansion: \"length\": expected a number of tokens, found nothing");
  CHECK(
      sentence(R"({"query_expansion":{"strategy":"min","length":3,"size":1}})") ==
      "c.json: query_expansion: \"size\": expected one of the keys strategy, attend, token, length, found 1");
  CHECK(sentence(R"({"query_length":0})") == "c.json: \"query_length\": expected at least 1 token, found 0");
  CHECK(sentence(R"({"skiplist_words":"."})") ==
        "c.json: \"skiplist_words\": expected an array of words, found \".\"");
  CHECK(sentence(R"({"keep_only_token_ids":[3]})") ==
        "c.json: \"keep_only_token_ids\": expected null, found an array of 1");
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

TEST_CASE("the Transformer of a model with a head may give other outputs, and is read like any other") {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", R"({"normalizer":null})");
  const auto write = [&](const std::string& more) {
    return folder.write("sentence_roberta_config.json",
                        R"({"transformer_task":"sequence-classification","module_output_name":"scores",
                            "tokenizer_args":{"model_max_length":48}, "max_seq_length":64)" +
                            more + "}");
  };
  write("");
  CHECK(read_length_limits(folder.path(), TransformerUse::head).max_seq_length->tokens == 48);
  CHECK(sentence_of([&] { read_length_limits(folder.path()); }).find("transformer_task") !=
        std::string::npos);
  const auto file = write(R"(,"do_lower_case":true)");
  CHECK(sentence_of([&] { read_length_limits(folder.path(), TransformerUse::head); }) ==
        file.string() +
            ": \"do_lower_case\": expected false, or a tokenizer.json that lower-cases, found true");
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
