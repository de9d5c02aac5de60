// The public interface: what it reports, and what it refuses in which words.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "embedding.h"

using namespace nybble;
using namespace nybble::test;

namespace {

struct Failure {
  std::optional<ErrorCode> code;  ///< none if nothing was thrown
  std::string sentence;
  bool says(ErrorCode expected, std::initializer_list<const char*> words) const {
    return code == expected && sentence.find('\n') == std::string::npos &&
           std::all_of(words.begin(), words.end(),
                       [this](const char* word) { return sentence.find(word) != std::string::npos; });
  }
};

template <class Call>
Failure failure_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

#define REQUIRE_FAILURE(call, code, ...)                   \
  do {                                                     \
    const Failure failure = failure_of([&] { call; });     \
    INFO(failure.sentence);                                \
    REQUIRE(failure.says(ErrorCode::code, {__VA_ARGS__})); \
  } while (false)

const Model& tiny() {
  static const Model model = load_golden("tiny-bert");
  return model;
}

LoadOptions with_max_tokens(std::size_t max_tokens) {
  LoadOptions options;
  options.max_tokens = max_tokens;
  return options;
}

/// A variable of the environment as long as a test lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) saved_ = old;
    ::setenv(name, value, 1);
  }
  ~Variable() { saved_ ? ::setenv(name_, saved_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> saved_;
};

std::size_t active_count(std::string& name) {
  std::size_t count = 0;
  for (const InstructionSet& set : instruction_sets()) {
    if (!set.active) continue;
    ++count;
    name = set.name;
  }
  return count;
}

using Ids = std::vector<std::int32_t>;

EncodeReport encode_ids(const Model& model, const Ids& ids, const Ids& borders, std::size_t rows,
                        const Ids& types = {}) {
  std::vector<float> out(rows * model.info().dimensions);
  return model.encode_ids(ids, borders, out, types);
}

}  // namespace

// ---- what a model says of itself ----

TEST_CASE("info tells the sizes, the lengths and the formats of a model") {
  const ModelInfo& info = tiny().info();
  REQUIRE(info.family == "bert");
  REQUIRE(info.layers == 2);
  REQUIRE(info.hidden == 96);
  REQUIRE(info.heads == 3);
  REQUIRE(info.intermediate == 200);
  REQUIRE(info.positions == 320);
  REQUIRE(info.vocabulary == 1003);
  REQUIRE(info.token_types == 2);
  REQUIRE(info.activation == "gelu");
  REQUIRE(info.tokenizer == "WordPiece");
  REQUIRE(info.tokenizer_vocabulary == 1003);
  REQUIRE(info.max_tokens == 320);
  REQUIRE(info.max_tokens_source.find("sentence_bert_config.json") != std::string::npos);
  REQUIRE(info.weights == Weights::int8);
  REQUIRE(info.bits.starts_with("exact"));
  REQUIRE(info.linear_bytes >= 2 * (4 * 96 * 96 + 2 * 96 * 200));
  REQUIRE(info.linear_bytes < 2 * 4 * (4 * 96 * 96 + 2 * 96 * 200) / 2);
  REQUIRE(info.file_bytes == std::filesystem::file_size(golden_folder() / "tiny-bert/model.safetensors"));
  LoadOptions f32;
  f32.weights = Weights::f32;
  REQUIRE(load_golden("tiny-bert", f32).info().bits == "machine-dependent");
}

TEST_CASE("explain names every step's kernel, and graph is what the last pass made") {
  const std::string plan = tiny().explain();
  for (const char* word : {"embed_sum", "layernorm+residual", "gemm_u8s8_", "quantize_rows_u8_",
                           "attention_s8_", "mean_pool_", "l2_normalize_", "int8"}) {
    INFO(word);
    REQUIRE(plan.find(word) != std::string::npos);
  }
  LoadOptions options;
  std::vector<std::string> names;
  std::string last;
  options.on_pass = [&](std::string_view pass, const std::string& graph) {
    names.emplace_back(pass);
    last = graph;
  };
  const Model model = load_golden("tiny-bert", options);
  REQUIRE(names == pass_names());
  REQUIRE(last == model.graph());
  options = {};
  options.weights = Weights::f32;
  REQUIRE(load_golden("tiny-bert", options).explain().find("onednn:") != std::string::npos);
}

TEST_CASE("machine and instruction sets describe this machine") {
  const Machine here = machine();
  REQUIRE(here.threads >= 1);
  REQUIRE(here.affinity_cpus >= 1);
  REQUIRE(here.threads <= here.affinity_cpus);
  REQUIRE(instruction_sets().back().name == "scalar");
  REQUIRE(instruction_sets().back().runnable);
  REQUIRE(tiny().info().threads == here.threads);
}

// ---- instruction sets ----

TEST_CASE("an instruction set is forced by option or by NYBBLE_ISA, and the option wins") {
  std::string active;
  {
    const Variable none("NYBBLE_ISA", "");
    REQUIRE(active_count(active) == 1);
    REQUIRE(active == runnable_sets().front());
    REQUIRE(load_golden("micro-bert").info().isa == active);
  }
  for (const std::string& isa : runnable_sets()) {
    INFO(isa);
    const Variable forced("NYBBLE_ISA", isa.c_str());
    REQUIRE(active_count(active) == 1);
    REQUIRE(active == isa);
    REQUIRE(load_golden("micro-bert").info().isa == isa);
    LoadOptions options;
    options.isa = "scalar";
    REQUIRE(load_golden("micro-bert", options).info().isa == "scalar");
  }
}

TEST_CASE("an unknown instruction set is an error that lists those that run") {
  LoadOptions options;
  options.isa = "mmx";
  REQUIRE_FAILURE(load_golden("micro-bert", options), bad_input, "'mmx'", "scalar");
  const Variable forced("NYBBLE_ISA", "mmx");
  REQUIRE_FAILURE(load_golden("micro-bert"), bad_input, "NYBBLE_ISA", "'mmx'", "scalar");
  REQUIRE_FAILURE(instruction_sets(), bad_input, "NYBBLE_ISA", "'mmx'", "scalar");
}

TEST_CASE("an instruction set that this machine lacks is an error that says what it needs") {
  for (const InstructionSet& set : instruction_sets()) {
    if (set.runnable) continue;
    LoadOptions options;
    options.isa = set.name;
    REQUIRE_FAILURE(load_golden("micro-bert", options), bad_input, set.name.c_str(), set.needs.c_str(),
                    "scalar");
  }
}

// ---- options ----

TEST_CASE("options out of range are refused with what was expected and found") {
  const auto load_with = [](auto change) {
    LoadOptions options;
    change(options);
    load_golden("micro-bert", options);
  };
  REQUIRE_FAILURE(load_with([](auto& o) { o.max_tokens = 65; }), bad_input, "max_tokens", "64", "65");
  REQUIRE_FAILURE(load_with([](auto& o) { o.threads = -1; }), bad_input, "threads", "-1");
  REQUIRE_FAILURE(load_with([](auto& o) { o.threads = 1025; }), bad_input, "threads", "1025");
  REQUIRE_FAILURE(load_with([](auto& o) { o.batch_tokens = 0; }), bad_input, "batch_tokens", "0");
  REQUIRE_FAILURE(load_with([](auto& o) { o.batch_tokens = std::size_t{1} << 40; }), bad_input,
                  "batch_tokens");
  REQUIRE_FAILURE(load_with([](auto& o) { o.concurrent_calls = -1; }), bad_input, "concurrent_calls", "-1");
  REQUIRE_FAILURE(load_with([](auto& o) { o.disabled_passes = {"fuse_everything"}; }), bad_input,
                  "fuse_everything", "merge_qkv");
}

TEST_CASE("a folder that is none, or holds no model, is refused") {
  REQUIRE_FAILURE(Model::load("/nonexistent/model"), io, "/nonexistent/model");
  REQUIRE_FAILURE(Model::load((golden_folder() / "jargon").string()), unsupported_model, "config.json");
  REQUIRE_FAILURE(Tokenizer::load("/nonexistent/model"), io, "/nonexistent/model");
}

// ---- texts ----

TEST_CASE("no texts are no rows") {
  const EncodeReport report = tiny().encode({}, {});
  REQUIRE(report.texts == 0);
  REQUIRE(report.tokens == 0);
  REQUIRE(encode_ids(tiny(), {}, {0}, 0).texts == 0);
}

TEST_CASE("an empty text is a text of the special tokens") {
  REQUIRE(tiny().tokenize("").tokens == std::vector<std::string>{"[CLS]", "[SEP]"});
  const std::vector<float> rows = embed(tiny(), {"", " ", "\t\r\n"});
  REQUIRE(std::all_of(rows.begin(), rows.end(), [](float x) { return std::isfinite(x); }));
  const std::vector<float> first(rows.begin(), rows.begin() + 96),
      second(rows.begin() + 96, rows.begin() + 192);
  REQUIRE(same_bits(first, second));
}

TEST_CASE("invalid UTF-8 is read as U+FFFD, a maximal part at a time, and reported") {
  const std::vector<std::string> texts = {"fine",
                                          "a\xff"
                                          "b\xe6\xbc"
                                          "c",
                                          "also fine", "\xc3"};
  std::vector<float> rows(texts.size() * 96);
  const EncodeReport report = tiny().encode(views(texts), rows);
  REQUIRE(report.invalid_texts == 2);
  REQUIRE(report.invalid_parts == 3);
  REQUIRE(report.first_invalid == 1);
  REQUIRE(same_bits(rows, embed(tiny(), {"fine",
                                         "a\xef\xbf\xbd"
                                         "b\xef\xbf\xbd"
                                         "c",
                                         "also fine", "\xef\xbf\xbd"})));

  REQUIRE_FALSE(repair_utf8("fine"));
  REQUIRE(repair_utf8(texts[1])->first_invalid_byte == 1u);
  const Tokens tokens = tiny().tokenize(texts[1]);
  REQUIRE(tokens.invalid_parts == 2);
  REQUIRE(tokens.first_invalid_byte == 1);
}

TEST_CASE("offsets are bytes of the text as given, invalid parts included") {
  const std::string text = "the \xff\xff the";
  const Tokens tokens = tiny().tokenize(text);
  const auto last_word = tokens.offsets[tokens.offsets.size() - 2];
  REQUIRE(text.substr(last_word.first, last_word.second - last_word.first) == "the");
  REQUIRE(last_word.first == 7);
}

TEST_CASE("texts longer than max_tokens are cut and counted") {
  const Model model = load_golden("tiny-bert", with_max_tokens(8));
  REQUIRE(model.info().max_tokens == 8);
  const std::vector<std::string> texts = {"most of its lifetime", "the", "the the the the the the",
                                          "the the the the the the the"};
  std::vector<float> rows(texts.size() * 96);
  const EncodeReport report = model.encode(views(texts), rows);
  std::size_t cut = 0, tokens = 0;
  for (const std::string& text : texts) {
    const std::size_t whole =
        Tokenizer::load((golden_folder() / "tiny-bert").string()).tokenize(text).ids.size();
    cut += whole > 8;
    // The last two are equal once they are cut.
    if (&text != &texts.back()) tokens += std::min<std::size_t>(whole, 8);
  }
  REQUIRE(cut >= 1);
  REQUIRE(report.texts == 4);
  REQUIRE(report.cut == cut);
  REQUIRE(report.folded == 1);
  REQUIRE(report.tokens == tokens);
  REQUIRE(model.tokenize(texts[3]).ids.size() == 8);
  REQUIRE(same_bits(embed(model, {texts[3]}), embed(model, {texts[2]})));
}

TEST_CASE("pairs longer than max_tokens are cut and counted") {
  const Model model = load_golden("tiny-bert", with_max_tokens(6));
  const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{"the the the the", "of"},
                                                                            {"the", "of"}};
  std::vector<float> rows(2 * 96);
  const EncodeReport report = model.encode_pairs(pairs, rows);
  REQUIRE(report.texts == 2);
  REQUIRE(report.cut == 1);
  REQUIRE(report.tokens == 11);
}

TEST_CASE("max_tokens that leaves no room for the special tokens is refused") {
  REQUIRE_FAILURE(load_golden("tiny-bert", with_max_tokens(1)), bad_input, "max_tokens", "1");
  REQUIRE(embed(load_golden("tiny-bert", with_max_tokens(2)), {"the cabal"}).size() == 96);
}

// ---- arguments ----

TEST_CASE("rows of another size are refused and stay untouched") {
  const std::vector<std::string_view> texts = {"one", "two"};
  for (const std::size_t size : {0u, 1u, 191u, 193u, 96u}) {
    std::vector<float> rows(size, 5.0f);
    REQUIRE_FAILURE(tiny().encode(texts, rows), bad_input, "rows", "2", "96", std::to_string(size).c_str());
    REQUIRE(std::count(rows.begin(), rows.end(), 5.0f) == static_cast<std::ptrdiff_t>(size));
  }
  REQUIRE_FAILURE(encode_ids(tiny(), {2, 3}, {0, 2}, 2), bad_input, "rows");
}

TEST_CASE("ids and types outside their tables are refused with the sequence and the id") {
  REQUIRE(encode_ids(tiny(), {2, 1002, 3}, {0, 3}, 1, {0, 1, 1}).tokens == 3);
  REQUIRE_FAILURE(encode_ids(tiny(), {2, 3, 2, 1003}, {0, 2, 4}, 2), bad_input, "sequence 1", "1002", "1003");
  REQUIRE_FAILURE(encode_ids(tiny(), {-1}, {0, 1}, 1), bad_input, "sequence 0", "-1");
  REQUIRE_FAILURE(encode_ids(tiny(), {2, 3}, {0, 2}, 1, {0, 2}), bad_input, "type", "2");
  REQUIRE_FAILURE(encode_ids(tiny(), {2, 3}, {0, 2}, 1, {0, -7}), bad_input, "type", "-7");
  REQUIRE_FAILURE(encode_ids(tiny(), {2, 3}, {0, 2}, 1, {0}), bad_input, "type_ids", "2", "1");
}

TEST_CASE("a sequence of more ids than positions is too long, one of as many is not") {
  REQUIRE(encode_ids(tiny(), Ids(320, 5), {0, 320}, 1).tokens == 320);
  REQUIRE_FAILURE(encode_ids(tiny(), Ids(321, 5), {0, 321}, 1), too_long, "sequence 0", "320", "321");
}

TEST_CASE("borders that make no sense are refused") {
  const Ids ids = {2, 5, 3};
  for (const Ids& borders :
       std::vector<Ids>{{}, {0}, {0, 2}, {0, 4}, {1, 3}, {0, 2, 1, 3}, {0, -1, 3}, {0, 5, 3}, {3}, {-1, 3}}) {
    REQUIRE_FAILURE(encode_ids(tiny(), ids, borders, borders.empty() ? 0 : borders.size() - 1), bad_input,
                    "cu_seqlens", "3");
  }
  REQUIRE_FAILURE(encode_ids(tiny(), ids, {0, 0, 3}, 2), bad_input, "sequence 0");
  REQUIRE_FAILURE(encode_ids(tiny(), ids, {0, 3, 3}, 2), bad_input, "sequence 1");
}

TEST_CASE("a model of token rows gives no row a text, but rows to a stream") {
  LoadOptions options;
  options.output = Output::tokens;
  const Model model = load_golden("micro-bert", options);
  std::vector<float> row(40);
  const std::vector<std::string_view> texts = {"a"};
  const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{"a", "b"}};
  REQUIRE_FAILURE(model.encode(texts, row), bad_input, "encode", "one row a text");
  REQUIRE_FAILURE(model.encode_pairs(pairs, row), bad_input, "encode_pairs", "one row a text");
  REQUIRE(encode_ids(model, {2, 5, 3}, {0, 3}, 3).tokens == 3);
  REQUIRE_FAILURE(encode_ids(model, {2, 5, 3}, {0, 3}, 1), bad_input, "rows");
  const std::vector<std::int32_t> ids = model.tokenize("a null device").ids,
                                  borders = {0, static_cast<std::int32_t>(ids.size())};
  std::vector<float> expected(ids.size() * 40), found;
  model.encode_ids(ids, borders, expected);
  bool is_read = false;
  model.encode_stream(
      [&](std::string& text) {
        text = "a null device";
        return !std::exchange(is_read, true);
      },
      [&](std::size_t index, std::span<const float> rows) {
        REQUIRE(index == 0);
        found.assign(rows.begin(), rows.end());
      });
  REQUIRE(same_bits(found, expected));
}

// ---- busy and cancelled ----

TEST_CASE("a call whose stop token was triggered is cancelled") {
  std::stop_source source;
  source.request_stop();
  EncodeOptions options;
  options.stop = source.get_token();
  std::vector<float> row(96);
  const std::vector<std::string_view> texts = {"a"};
  REQUIRE_FAILURE(tiny().encode(texts, row, options), cancelled, "cancelled");
}

TEST_CASE("a stream that is cancelled half way keeps the rows written until then") {
  LoadOptions load;
  load.batch_tokens = 1;
  const Model model = load_golden("micro-bert", load);
  std::stop_source source;
  EncodeOptions options;
  options.stop = source.get_token();
  std::size_t rows = 0;
  const auto next = [](std::string& text) { return text = "the cabal", true; };
  const auto row = [&](std::size_t, std::span<const float>) {
    rows += 1, rows == 3 && source.request_stop();
  };
  REQUIRE_FAILURE(model.encode_stream(next, row, options), cancelled, "cancelled");
  REQUIRE(rows == 3);
}

TEST_CASE("a call that may not wait is told that the model is busy, and the model works on") {
  LoadOptions load;
  load.threads = 1;
  load.concurrent_calls = 1;
  const Model model = load_golden("tiny-bert", load);
  std::atomic<bool> enough = false;
  std::jthread other([&] {
    const std::vector<std::string> texts(8,
                                         read_lines(golden_folder() / "tiny-bert/golden/texts.txt").back());
    while (!enough) embed(model, texts);
  });
  EncodeOptions options;
  options.wait = false;
  std::vector<float> row(96);
  const std::vector<std::string_view> texts = {"a"};
  // The other thread holds the only workspace nearly always.
  Failure failure;
  for (int attempt = 0; !failure.code && attempt < 200000; ++attempt)
    failure = failure_of([&] { model.encode(texts, row, options); });
  enough = true;
  INFO(failure.sentence);
  REQUIRE(failure.says(ErrorCode::busy, {"1 workspace"}));
  other.join();
  model.encode(texts, row, options);
  REQUIRE(same_bits(row, embed(tiny(), {"a"})));
}

TEST_CASE("what a caller's function throws goes through a stream, and the model works on") {
  struct Mine {};
  const auto next = [i = 0](std::string& text) mutable {
    if (++i == 5) throw Mine();
    return text = "the", true;
  };
  REQUIRE_THROWS_AS(tiny().encode_stream(next, [](std::size_t, std::span<const float>) {}), Mine);
  REQUIRE(embed(tiny(), {"the"}).size() == 96);
}

TEST_CASE("a stream of no texts is none") {
  REQUIRE(tiny()
              .encode_stream([](std::string&) { return false; },
                             [](std::size_t, std::span<const float>) { FAIL(); })
              .texts == 0);
}

TEST_CASE("version is a version") { REQUIRE(std::count(version().begin(), version().end(), '.') == 2); }
