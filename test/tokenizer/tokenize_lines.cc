// Tokenizes for the Python scripts beside it: reads texts, prints what became of each as a line of JSON.
//
//   tokenize_lines TOKENIZER.JSON [MAX_TOKENS]    standard input: records of a size in 4 bytes (little
//   endian) and
//                                                 so many bytes. A text, unless the size has its top bit set:
//                                                 the first of a pair, whose second follows; or the next: a
//                                                 tokenizer.json to go on with; or the next: max_tokens,
//                                                 strategy, side and stride of Truncation in 4 bytes each. -
//                                                 for the file: a record brings it.
//   tokenize_lines --repair                       standard input as above, any bytes; prints how many parts
//                                                 repair_utf8() replaced, and the text
//   tokenize_lines --speed TOKENIZER.JSON TEXTS N [offsets]    times encode_ids, or encode, over the texts of
//   a file
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "include/nybble/error.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace {

using nybble::tokenizer::Encoding;
using nybble::tokenizer::Tokenizer;

using nybble::tokenizer::Truncation;

enum class Record : std::uint32_t { text = 0, tokenizer = 1, truncation = 2, pair = 4 };

bool read_record(std::istream& in, std::string& text, Record& kind) {
  std::uint32_t size = 0;
  if (!in.read(reinterpret_cast<char*>(&size), sizeof size)) return false;
  kind = (size >> 31) != 0       ? Record::pair
         : (size >> 30 & 1) != 0 ? Record::tokenizer
         : (size >> 29 & 1) != 0 ? Record::truncation
                                 : Record::text;
  text.resize(size & 0x1FFFFFFF);
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size())))
    throw std::runtime_error("a record is cut");
  return true;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <class Values, class Write>
void print_list(std::string& out, const char* name, const Values& values, Write write) {
  out += out.empty() ? "{\"" : ",\"";
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += ',';
    out += write(values[i]);
  }
  out += ']';
}

std::string names(const Tokenizer& tokenizer, const Encoding& e) {
  std::vector<std::string> tokens;
  for (const std::int32_t id : e.ids) tokens.emplace_back(tokenizer.token(id));
  for (const auto& [index, name] : e.spelled) tokens[index] = name;
  std::string out;
  print_list(out, "tokens", tokens, json_string);
  return ',' + out.substr(1);
}

std::string to_json(const Tokenizer& tokenizer, const Encoding& e) {
  const auto number = [](auto n) { return std::to_string(n); };
  std::string out;
  print_list(out, "ids", e.ids, number);
  out += names(tokenizer, e);
  print_list(out, "type_ids", e.type_ids, number);
  print_list(out, "word_ids", e.word_ids, number);
  print_list(out, "special", e.special, number);
  print_list(out, "text", e.text, number);
  print_list(out, "offsets", e.offsets, [](auto o) {
    std::string pair = "[";
    pair += std::to_string(o.first);
    pair += ',';
    pair += std::to_string(o.second);
    return pair += ']';
  });
  out += ",\"decoded\":" + json_string(tokenizer.decode(e.ids));
  out += ",\"decoded_all\":" + json_string(tokenizer.decode(e.ids, false));
  if (!e.overflow.empty())
    print_list(out, "overflow", e.overflow,
               [&](const Encoding& window) { return to_json(tokenizer, window); });
  return out + "}";
}

/// The fast path must give what encode() gives, and say rightly whether it cut.
void compare_with_fast_path(const Tokenizer& tokenizer, const std::string& text, std::size_t max_tokens,
                            const Encoding& e) {
  std::vector<std::int32_t> ids{-7}, type_ids{-7};
  const bool cut = tokenizer.encode_ids(text, max_tokens, ids, type_ids);
  ids.erase(ids.begin());
  type_ids.erase(type_ids.begin());
  const bool expect_cut = max_tokens != 0 && tokenizer.encode(text).ids.size() > max_tokens;
  if (ids != e.ids || type_ids != e.type_ids || cut != expect_cut) {
    throw std::runtime_error("encode_ids differs from encode for " + json_string(text));
  }
}

/// Answers records one after the other.
class Answers {
 public:
  Answers(const char* file, std::size_t max_tokens) {
    truncation_.max_tokens = max_tokens;
    if (std::strcmp(file, "-") != 0) tokenizer_.emplace(Tokenizer::from_file(file));
  }

  int run() {
    std::string text;
    for (Record kind{}; read_record(std::cin, text, kind);) {
      std::cout << answer(kind, text) << '\n';
      if (std::cin.rdbuf()->in_avail() <= 0) std::cout.flush();
    }
    return 0;
  }

 private:
  std::string answer(Record kind, const std::string& text) try {
    switch (kind) {
      case Record::tokenizer:
        tokenizer_.reset();
        tokenizer_.emplace(Tokenizer::from_json(text, "t.json"));
        return "{}";
      case Record::truncation:
        return set_truncation(text);
      case Record::pair:
        return encode_pair(text);
      default:
        return encode(text);
    }
  } catch (const nybble::Error& error) {
    return "{\"error\":" + json_string(error.what()) + "}";
  }

  std::string set_truncation(const std::string& text) {
    std::uint32_t values[4];
    if (text.size() != sizeof values) throw std::runtime_error("a truncation has 16 bytes");
    std::memcpy(values, text.data(), sizeof values);
    truncation_ = {values[0], static_cast<Truncation::Strategy>(values[1]),
                   static_cast<Truncation::Side>(values[2]), values[3]};
    return "{}";
  }

  std::string encode_pair(const std::string& text) {
    std::string second;
    Record ignored{};
    if (!read_record(std::cin, second, ignored)) throw std::runtime_error("a pair is cut");
    return to_json(*tokenizer_, tokenizer_->encode_pair(text, second, truncation_));
  }

  std::string encode(const std::string& text) {
    const Encoding e = tokenizer_->encode(text, truncation_);
    if (truncation_.side == Truncation::Side::right)
      compare_with_fast_path(*tokenizer_, text, truncation_.max_tokens, e);
    return to_json(*tokenizer_, e);
  }

  std::optional<Tokenizer> tokenizer_;
  Truncation truncation_;
};

int repair_lines() {
  std::string text;
  for (Record kind{}; read_record(std::cin, text, kind);) {
    const auto repaired = nybble::tokenizer::repair_utf8(text);
    std::cout << '[' << repaired.replaced << ',' << json_string(repaired.text) << "]\n";
  }
  return 0;
}

int measure(const char* json, const char* file, int times, bool offsets) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  auto start = Clock::now();
  const Tokenizer tokenizer = Tokenizer::from_file(json);
  const double load = seconds(Clock::now() - start);
  std::ifstream in(file, std::ios::binary);
  std::vector<std::string> texts;
  Record kind{};
  for (std::string text; read_record(in, text, kind);) texts.push_back(text);
  std::vector<std::int32_t> ids, type_ids;
  std::size_t tokens = 0;
  double best = 1e30;
  for (int i = 0; i < times; ++i) {
    ids.clear();
    type_ids.clear();
    start = Clock::now();
    tokens = 0;
    for (const std::string& text : texts) {
      if (offsets) tokens += tokenizer.encode(text).ids.size();
      if (!offsets) tokenizer.encode_ids(text, 0, ids, type_ids);
    }
    best = std::min(best, seconds(Clock::now() - start));
  }
  std::printf("{\"load_s\":%.6f,\"tokens\":%zu,\"best_s\":%.6f}\n", load, tokens + ids.size(), best);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::ios::sync_with_stdio(false);
    if ((argc == 5 || argc == 6) && std::strcmp(argv[1], "--speed") == 0)
      return measure(argv[2], argv[3], std::atoi(argv[4]), argc == 6);
    if (argc == 2 && std::strcmp(argv[1], "--repair") == 0) return repair_lines();
    if (argc != 2 && argc != 3) throw std::runtime_error("usage: tokenize_lines TOKENIZER.JSON [MAX_TOKENS]");
    return Answers(argv[1], argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0).run();
  } catch (const std::exception& e) {
    std::cerr << "tokenize_lines: " << e.what() << '\n';
    return 1;
  }
}
