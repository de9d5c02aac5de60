#include "runtime/model_folder.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>

#include "test/runtime/loader/temporary_folder.h"

using namespace nybble;
using namespace nybble::runtime;
using nybble::test::failure_of;
using nybble::test::TemporaryFolder;

namespace {

constexpr const char* kVariables[] = {"NYBBLE_MODEL", "HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"};

/// The environment with only these of the variables that matter set; restored at the end.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& set) {
    for (const char* name : kVariables) {
      const char* value = std::getenv(name);
      if (value != nullptr) saved_.emplace(name, value);
      ::unsetenv(name);
    }
    for (const auto& [name, value] : set) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const char* name : kVariables) ::unsetenv(name);
    for (const auto& [name, value] : saved_) ::setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::map<std::string, std::string> saved_;
};

std::string resolve_sentence(std::string_view option) {
  const auto failure = failure_of([&] { resolve_model(option); });
  CHECK(failure.code == ErrorCode::io);
  return failure.sentence;
}

/// A hub cache below `root` with one model at one commit.
std::filesystem::path write_hub(const TemporaryFolder& folder, const std::string& root) {
  const auto model = root + "/models--org--name";
  folder.write(model + "/refs/main", "abc123\n");
  folder.write(model + "/refs/refs/pr/1", "def456");
  folder.write(model + "/snapshots/abc123/config.json", "{}");
  folder.write(model + "/snapshots/def456/config.json", "{}");
  return folder.path() / model / "snapshots";
}

/// A minimal whole model folder.
void write_model(const TemporaryFolder& folder, const std::string& inner = "") {
  folder.write(inner + "config.json", R"({"model_type":"bert"})");
  folder.write(inner + "tokenizer.json", "{}");
  folder.write(inner + "model.safetensors", test::safetensors_bytes("{}", ""));
}

test::Failure read_failure(const TemporaryFolder& folder) {
  return failure_of([&] { read_model_folder(folder.path()); });
}

ModelFolder with_lengths(std::optional<std::int64_t> max_seq_length,
                         std::optional<std::int64_t> model_max_length) {
  ModelFolder model{{}, {}, {nlohmann::json::object(), "config.json"}, {}, {}, {}};
  if (max_seq_length) model.lengths.max_seq_length = Length{*max_seq_length, "s.json: \"max_seq_length\""};
  if (model_max_length)
    model.lengths.model_max_length = Length{*model_max_length, "t.json: \"model_max_length\""};
  return model;
}

}  // namespace

TEST_CASE("a model option that is a folder means that folder, whatever the caches hold") {
  const TemporaryFolder folder;
  write_hub(folder, "hub");
  const Environment environment({{"HF_HUB_CACHE", folder.path() / "hub"}, {"HOME", folder.path()}});
  CHECK(resolve_model(folder.path().string()) == folder.path());
}

TEST_CASE("org/name is found in the hub cache that the environment names first") {
  const TemporaryFolder folder;
  const auto by_hub = write_hub(folder, "a");
  const auto by_home = write_hub(folder, "b/hub");
  const auto by_xdg = write_hub(folder, "c/huggingface/hub");
  const auto by_user = write_hub(folder, "d/.cache/huggingface/hub");
  std::map<std::string, std::string> set = {{"HF_HUB_CACHE", folder.path() / "a"},
                                            {"HF_HOME", folder.path() / "b"},
                                            {"XDG_CACHE_HOME", folder.path() / "c"},
                                            {"HOME", folder.path() / "d"}};
  CHECK((Environment(set), resolve_model("org/name")) == by_hub / "abc123");
  set["HF_HUB_CACHE"] = "";
  CHECK((Environment(set), resolve_model("org/name")) == by_home / "abc123");
  set["HF_HOME"] = "~/../b";
  CHECK((Environment(set), resolve_model("org/name")) ==
        folder.path() / "d/../b/hub/models--org--name/snapshots/abc123");
  set.erase("HF_HOME");
  CHECK((Environment(set), resolve_model("org/name")) == by_xdg / "abc123");
  set.erase("XDG_CACHE_HOME");
  CHECK((Environment(set), resolve_model("org/name")) == by_user / "abc123");
}

TEST_CASE("a revision may be a ref or a commit, and a name may lack an organisation") {
  const TemporaryFolder folder;
  const auto snapshots = write_hub(folder, "hub");
  folder.write("hub/models--plain/snapshots/c/config.json", "{}");
  const Environment environment({{"HF_HUB_CACHE", folder.path() / "hub"}});
  CHECK(resolve_model("org/name@main") == snapshots / "abc123");
  CHECK(resolve_model("org/name@refs/pr/1") == snapshots / "def456");
  CHECK(resolve_model("org/name@def456") == snapshots / "def456");
  CHECK(resolve_model("plain@c") == folder.path() / "hub/models--plain/snapshots/c");
}

TEST_CASE("a model that is nowhere is an error that names both places") {
  const TemporaryFolder folder;
  write_hub(folder, "hub");
  const auto hub = (folder.path() / "hub").string();
  const Environment environment({{"HF_HUB_CACHE", hub}});
  CHECK(resolve_sentence("org/other") == "model org/other: expected a folder of this name or " + hub +
                                             "/models--org--other in the Hugging Face cache, found neither");
  CHECK(resolve_sentence("org/name@v9") == "model org/name: expected revision v9 at " + hub +
                                               "/models--org--name/snapshots/v9, found no such folder");
  CHECK(resolve_sentence("/no/such/folder") ==
        "model /no/such/folder: expected a folder or org/name, found no such folder");
  CHECK(resolve_sentence("org/name@../../x").find("expected a folder or org/name") != std::string::npos);
  CHECK(resolve_sentence("../x").find("expected a folder or org/name") != std::string::npos);
  CHECK(resolve_sentence(std::string(100000, 'x')).find("expected a folder of this name or ") !=
        std::string::npos);
  const auto file = folder.write("file", "");
  CHECK(resolve_sentence(file.string()) == "model " + file.string() + ": expected a folder, found a file");
}

TEST_CASE("a ref that holds no commit is refused") {
  const TemporaryFolder folder;
  write_hub(folder, "hub");
  const auto ref = folder.write("hub/models--org--name/refs/main", "../../../etc");
  const Environment environment({{"HF_HUB_CACHE", folder.path() / "hub"}});
  CHECK(resolve_sentence("org/name") == ref.string() + ": expected a commit, found \"../../../etc\"");
}

TEST_CASE(
    "no option means NYBBLE_MODEL, else the default model's cache, else a sentence that names tools/setup") {
  const TemporaryFolder folder;
  folder.write("cache/nybble/all-MiniLM-L6-v2/config.json", "{}");
  folder.write("home/.cache/nybble/all-MiniLM-L6-v2/config.json", "{}");
  folder.write("mine/config.json", "{}");
  std::map<std::string, std::string> set = {{"NYBBLE_MODEL", folder.path() / "mine"},
                                            {"XDG_CACHE_HOME", folder.path() / "cache"},
                                            {"HOME", folder.path() / "home"}};
  CHECK((Environment(set), resolve_model("")) == folder.path() / "mine");
  set["NYBBLE_MODEL"] = "";
  CHECK((Environment(set), resolve_model("")) == folder.path() / "cache/nybble/all-MiniLM-L6-v2");
  set.erase("XDG_CACHE_HOME");
  CHECK((Environment(set), resolve_model("")) == folder.path() / "home/.cache/nybble/all-MiniLM-L6-v2");
  set["HOME"] = folder.path() / "nobody";
  CHECK((Environment(set), resolve_sentence("")) ==
        "no model is given, NYBBLE_MODEL is not set and the default model is not at " +
            folder.path().string() + "/nobody/.cache/nybble/all-MiniLM-L6-v2: tools/setup puts it there");
  set["NYBBLE_MODEL"] = "/no/such/folder";
  CHECK((Environment(set), resolve_sentence("")) ==
        "model /no/such/folder: expected a folder or org/name, found no such folder");
}

TEST_CASE("a whole model folder is read") {
  const TemporaryFolder folder;
  write_model(folder);
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 16})");
  const auto model = read_model_folder(folder.path());
  CHECK(model.dir == folder.path());
  CHECK(model.transformer_dir == folder.path());
  CHECK(model.config.string("model_type") == "bert");
  CHECK(model.tokenizer_json == folder.path() / "tokenizer.json");
  CHECK(model.st.pooling.modes.front() == graph::PoolMode::mean);
  CHECK(max_tokens(model, 512).tokens == 16);
}

TEST_CASE("a model whose Transformer lies in a folder of its own is read from there") {
  const TemporaryFolder folder;
  write_model(folder, "0_Transformer/");
  folder.write("modules.json",
               R"([{"path":"0_Transformer","type":"Transformer"},{"path":"1_Pooling","type":"Pooling"}])");
  folder.write("1_Pooling/config.json", R"({"pooling_mode":"cls"})");
  folder.write("0_Transformer/tokenizer_config.json", R"({"model_max_length": 8})");
  const auto model = read_model_folder(folder.path());
  CHECK(model.transformer_dir == folder.path() / "0_Transformer");
  CHECK(model.tokenizer_json == folder.path() / "0_Transformer/tokenizer.json");
  CHECK(model.st.pooling.modes.front() == graph::PoolMode::cls);
  CHECK(max_tokens(model, 512).tokens == 8);
}

TEST_CASE("a model folder whose files are links, as in the hub cache, is read") {
  const TemporaryFolder folder;
  const TemporaryFolder blobs;
  write_model(blobs);
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    std::filesystem::create_symlink(blobs.path() / name, folder.path() / name);
  }
  CHECK(read_model_folder(folder.path()).config.string("model_type") == "bert");
}

TEST_CASE("a file missing from a model folder is named") {
  for (const char* name : {"config.json", "tokenizer.json"}) {
    const TemporaryFolder folder;
    write_model(folder);
    std::filesystem::remove(folder.path() / name);
    const auto failure = read_failure(folder);
    CHECK(failure.code == ErrorCode::unsupported_model);
    CHECK(failure.sentence == folder.path().string() + ": expected a file " + name + ", found none");
  }
}

TEST_CASE("a model folder with other weights, or none, is refused with what it has") {
  for (const char* name : {"pytorch_model.bin", "model.onnx", "onnx/model.onnx"}) {
    const TemporaryFolder folder;
    write_model(folder);
    std::filesystem::remove(folder.path() / "model.safetensors");
    CHECK(read_failure(folder).sentence ==
          folder.path().string() + ": expected weights in model.safetensors, found none");
    folder.write(name, "");
    const std::string shown = name[0] == 'o' ? "onnx" : name;
    const auto failure = read_failure(folder);
    CHECK(failure.code == ErrorCode::unsupported_model);
    CHECK(failure.sentence ==
          folder.path().string() + ": expected weights in model.safetensors, found only " + shown);
  }
}

TEST_CASE("a folder in place of a file, a dangling link and an unreadable file are told as such") {
  const TemporaryFolder folder;
  write_model(folder);
  const auto config = folder.path() / "config.json";
  std::filesystem::remove(config);
  std::filesystem::create_directory(config);
  CHECK(read_failure(folder).sentence == config.string() + ": expected a regular file, found a directory");
  std::filesystem::remove(config);
  std::filesystem::create_symlink("nowhere", config);
  CHECK(read_failure(folder).sentence == config.string() + ": cannot open it: No such file or directory");
  std::filesystem::remove(config);
  folder.write("config.json", "{}");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::filesystem::permissions(config, std::filesystem::perms::none);
  const test::WithoutRights guard;
  CHECK(read_failure(folder).code == ErrorCode::io);
  CHECK(read_failure(folder).sentence == config.string() + ": cannot open it: Permission denied");
}

TEST_CASE("a config.json that is not a JSON object is refused") {
  const TemporaryFolder folder;
  write_model(folder);
  const auto file = folder.write("config.json", "[]");
  CHECK(read_failure(folder).sentence == file.string() + ": expected a JSON object, found an array of 0");
  folder.write("config.json", "");
  CHECK(read_failure(folder).sentence.find(file.string() + ": line 1, column 1: expected valid JSON") == 0);
}

TEST_CASE("reading a folder that is none says what is there") {
  const TemporaryFolder folder;
  const auto none = folder.path() / "none";
  CHECK(failure_of([&] { read_model_folder(none); }).sentence ==
        none.string() + ": expected a model folder, found nothing");
  const auto file = folder.write("file", "");
  CHECK(failure_of([&] { read_model_folder(file); }).sentence ==
        file.string() + ": expected a model folder, found a file");
}

TEST_CASE("the length is max_seq_length, else the smaller of model_max_length and the usable positions") {
  CHECK(max_tokens(with_lengths(256, 512), 512).tokens == 256);
  CHECK(max_tokens(with_lengths(256, 128), 512).tokens == 256);
  CHECK(max_tokens(with_lengths(256, 128), 512).source == "s.json: \"max_seq_length\"");
  CHECK(max_tokens(with_lengths({}, 128), 512).tokens == 128);
  CHECK(max_tokens(with_lengths({}, 128), 512).source == "t.json: \"model_max_length\"");
  CHECK(max_tokens(with_lengths({}, 514), 512).tokens == 512);
  CHECK(max_tokens(with_lengths({}, std::numeric_limits<std::int64_t>::max()), 512).tokens == 512);
  CHECK(max_tokens(with_lengths({}, {}), 512).tokens == 512);
  CHECK(max_tokens(with_lengths({}, {}), 512).source == "config.json: usable positions");
}

TEST_CASE("a max_seq_length that counts the positions before the first token's means all usable ones") {
  CHECK(max_tokens(with_lengths(514, {}), 512, 2).tokens == 512);
  CHECK(max_tokens(with_lengths(513, 512), 512, 2).source == "config.json: usable positions");
  CHECK(max_tokens(with_lengths(511, {}), 512, 2).tokens == 511);
  CHECK(failure_of([] { max_tokens(with_lengths(515, {}), 512, 2); }).code == ErrorCode::unsupported_model);
}

TEST_CASE("a max_seq_length above the usable positions is refused with both") {
  const auto failure = failure_of([] { max_tokens(with_lengths(513, {}), 512); });
  CHECK(failure.code == ErrorCode::unsupported_model);
  CHECK(failure.sentence ==
        "s.json: \"max_seq_length\": expected at most the 512 usable positions, found 513");
}
