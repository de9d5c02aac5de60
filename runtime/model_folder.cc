#include "runtime/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "include/nybble/error.h"
#include "runtime/mapped_file.h"

namespace nybble::runtime {
namespace {

using std::filesystem::path;

constexpr std::string_view kDefaultModel = "nybble/all-MiniLM-L6-v2";
constexpr std::size_t kMaxRefBytes = 4096;

/// Unset and empty are the same.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

path expand_home(const std::string& text) {
  if (text != "~" && text.rfind("~/", 0) != 0) return text;
  return path(environment("HOME") + text.substr(1));
}

/// Empty if the environment names none.
path user_cache() {
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) return expand_home(cache);
  const std::string home = environment("HOME");
  return home.empty() ? path() : path(home) / ".cache";
}

path hub_cache() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return expand_home(cache);
  if (const std::string home = environment("HF_HOME"); !home.empty()) return expand_home(home) / "hub";
  return user_cache() / "huggingface" / "hub";
}

bool is_folder(const path& candidate) {
  std::error_code ignored;
  return std::filesystem::is_directory(candidate, ignored);
}

/// In place of a folder: "nothing", "a file", or why it cannot be known.
std::string what_is_there(const path& candidate) {
  std::error_code error;
  const auto type = std::filesystem::status(candidate, error).type();
  if (type == std::filesystem::file_type::not_found) return "nothing";
  return error ? error.message() : "a file";
}

struct HubName {
  std::string repository;  ///< "org/name" or "name"
  std::string revision;    ///< "main" if none is given
};

bool is_hub_part(std::string_view part) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  return !part.empty() && part != "." && part != ".." && std::all_of(part.begin(), part.end(), allowed);
}

/// True of "org/name", "name" and, with more parts, of revisions such as "refs/pr/1".
bool is_hub_path(std::string_view text, std::size_t max_parts) {
  for (std::size_t parts = 1; parts <= max_parts; ++parts) {
    const auto slash = text.find('/');
    if (!is_hub_part(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
  return false;
}

std::optional<HubName> parse_hub_name(std::string_view option) {
  const auto at = option.find('@');
  HubName name{std::string(option.substr(0, at)), "main"};
  if (at != std::string_view::npos) name.revision = option.substr(at + 1);
  if (!is_hub_path(name.repository, 2) || !is_hub_path(name.revision, 8)) return std::nullopt;
  return name;
}

std::string trimmed(std::string text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  return text;
}

/// The commit that a revision names; the revision itself if the cache has no ref of that name.
std::string commit_of(const path& repository, const std::string& revision) {
  const path ref = repository / "refs" / revision;
  if (!is_present(ref)) return revision;
  std::string commit = trimmed(read_text_file(ref, kMaxRefBytes));
  if (is_hub_part(commit)) return commit;
  throw Error(ErrorCode::io,
              fmt::format("{}: expected a commit, found {}", ref.string(), describe_json(commit)));
}

path resolve_hub_name(const HubName& name) {
  std::string folder = "models--" + name.repository;
  if (const auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const path repository = hub_cache() / folder;
  if (!is_folder(repository)) {
    throw Error(ErrorCode::io,
                fmt::format("model {}: expected a folder of this name or {} in the Hugging Face cache, "
                            "found neither",
                            name.repository, repository.string()));
  }
  const path snapshot = repository / "snapshots" / commit_of(repository, name.revision);
  if (is_folder(snapshot)) return snapshot;
  throw Error(ErrorCode::io, fmt::format("model {}: expected revision {} at {}, found no such folder",
                                         name.repository, name.revision, snapshot.string()));
}

path resolve_option(std::string_view option) {
  if (is_folder(path(option))) return path(option);
  if (is_present(path(option))) {
    throw Error(ErrorCode::io,
                fmt::format("model {}: expected a folder, found {}", option, what_is_there(path(option))));
  }
  const auto name = parse_hub_name(option);
  if (name) return resolve_hub_name(*name);
  throw Error(ErrorCode::io,
              fmt::format("model {}: expected a folder or org/name, found no such folder", option));
}

path resolve_default() {
  const path cached = user_cache() / kDefaultModel;
  if (is_folder(cached)) return cached;
  throw Error(ErrorCode::io,
              fmt::format("no model is given, NYBBLE_MODEL is not set and the default model is not at {}: "
                          "tools/setup puts it there",
                          cached.string()));
}

/// What a folder without safetensors weights has instead.
std::string other_weights(const path& folder) {
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.onnx", "onnx",
                           "tf_model.h5", "flax_model.msgpack", "openvino_model.xml", "openvino"}) {
    if (is_present(folder / name)) return std::string("only ") + name;
  }
  return "none";
}

void check_folder(const path& dir) {
  if (is_folder(dir)) return;
  throw Error(ErrorCode::io,
              fmt::format("{}: expected a model folder, found {}", dir.string(), what_is_there(dir)));
}

}  // namespace

void check_weights(const path& folder) {
  if (is_present(folder / "model.safetensors") || is_present(folder / "model.safetensors.index.json")) return;
  throw Error(ErrorCode::unsupported_model, fmt::format("{}: expected weights in model.safetensors, found {}",
                                                        folder.string(), other_weights(folder)));
}

path required_file(const path& folder, std::string_view name) {
  if (is_present(folder / name)) return folder / name;
  throw Error(ErrorCode::unsupported_model,
              fmt::format("{}: expected a file {}, found none", folder.string(), name));
}

path resolve_model(std::string_view model_option) {
  if (!model_option.empty()) return resolve_option(model_option);
  const std::string from_environment = environment("NYBBLE_MODEL");
  return from_environment.empty() ? resolve_default() : resolve_option(from_environment);
}

ModelFolder read_model_folder(const path& dir) {
  check_folder(dir);
  SentenceTransformers st = read_modules(dir);
  const path inner = st.transformer_path.empty() ? dir : dir / st.transformer_path;
  JsonObject config = read_json_object(required_file(inner, "config.json"));
  check_weights(inner);
  const path tokenizer_json = required_file(inner, "tokenizer.json");
  const LengthLimits lengths =
      read_length_limits(inner, st.sparse ? TransformerUse::sparse : TransformerUse::embedding);
  return {dir, inner, std::move(config), tokenizer_json, std::move(st), lengths};
}

Length max_tokens(const ModelFolder& folder, std::size_t usable_positions, std::size_t reserved_positions) {
  const auto positions = static_cast<std::int64_t>(usable_positions);
  const Length usable = {positions, fmt::format("{}: usable positions", folder.config.name())};
  if (const auto& given = folder.lengths.max_seq_length) {
    if (given->tokens <= positions) return *given;
    if (given->tokens <= positions + static_cast<std::int64_t>(reserved_positions)) return usable;
    throw Error(ErrorCode::unsupported_model,
                fmt::format("{}: expected at most the {} usable positions, found {}", given->source,
                            positions, given->tokens));
  }
  const auto& model = folder.lengths.model_max_length;
  return model && model->tokens <= positions ? *model : usable;
}

}  // namespace nybble::runtime
