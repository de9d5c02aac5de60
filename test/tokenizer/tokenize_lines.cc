// Tokenizes for the Python scripts beside it: reads texts, prints what became of each as a line of JSON.
//
//   tokenize_lines TOKENIZER.JSON [MAX_TOKENS]        standard input: per text a size in 4 bytes (little
//   endian)
//                                                     and the text; a size with its top bit set opens a pair
//   tokenize_lines --repair                           standard input as above, any bytes; prints how many
//   parts
//                                                     repair_utf8() replaced, and the text
//   tokenize_lines --speed TOKENIZER.JSON TEXTS N     times encode_ids over the texts of a file, N times
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace {

using nybble::tokenizer::Encoding;
using nybble::tokenizer::Tokenizer;

constexpr std::uint32_t kPair = 0x80000000;

bool read_text(std::istream& in, std::string& text, bool& opens_pair) {
  std::uint32_t size = 0;
  if (!in.read(reinterpret_cast<char*>(&size), sizeof size)) return false;
  opens_pair = (size & kPair) != 0;
  text.resize(size & ~kPair);
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size())))
    throw std::runtime_error("a text is cut");
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

std::string to_json(const Tokenizer& tokenizer, const Encoding& e) {
  const auto number = [](auto n) { return std::to_string(n); };
  std::string out;
  print_list(out, "ids", e.ids, number);
  print_list(out, "tokens", e.ids, [&](std::int32_t id) { return json_string(tokenizer.token(id)); });
  print_list(out, "type_ids", e.type_ids, number);
  print_list(out, "word_ids", e.word_ids, number);
  print_list(out, "special", e.special, number);
  print_list(out, "offsets", e.offsets, [](auto o) {
    std::string pair = "[";
    pair += std::to_string(o.first);
    pair += ',';
    pair += std::to_string(o.second);
    return pair += ']';
  });
  return out + "}\n";
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

int print_lines(const Tokenizer& tokenizer, std::size_t max_tokens) {
  std::string text, second;
  bool pair = false, ignored = false;
  while (read_text(std::cin, text, pair)) {
    if (pair && !read_text(std::cin, second, ignored)) throw std::runtime_error("a pair is cut");
    const Encoding e =
        pair ? tokenizer.encode_pair(text, second, max_tokens) : tokenizer.encode(text, max_tokens);
    if (!pair) compare_with_fast_path(tokenizer, text, max_tokens, e);
    std::cout << to_json(tokenizer, e);
  }
  return 0;
}

int repair_lines() {
  std::string text;
  bool pair = false;
  while (read_text(std::cin, text, pair)) {
    const auto repaired = nybble::tokenizer::repair_utf8(text);
    std::cout << '[' << repaired.replaced << ',' << json_string(repaired.text) << "]\n";
  }
  return 0;
}

int measure(const char* json, const char* file, int times) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  auto start = Clock::now();
  const Tokenizer tokenizer = Tokenizer::from_file(json);
  const double load = seconds(Clock::now() - start);
  std::ifstream in(file, std::ios::binary);
  std::vector<std::string> texts;
  bool pair = false;
  for (std::string text; read_text(in, text, pair);) texts.push_back(text);
  std::vector<std::int32_t> ids, type_ids;
  double best = 1e30;
  for (int i = 0; i < times; ++i) {
    ids.clear();
    type_ids.clear();
    start = Clock::now();
    for (const std::string& text : texts) tokenizer.encode_ids(text, 0, ids, type_ids);
    best = std::min(best, seconds(Clock::now() - start));
  }
  std::printf("{\"load_s\":%.6f,\"tokens\":%zu,\"best_s\":%.6f}\n", load, ids.size(), best);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::ios::sync_with_stdio(false);
    if (argc == 5 && std::strcmp(argv[1], "--speed") == 0)
      return measure(argv[2], argv[3], std::atoi(argv[4]));
    if (argc == 2 && std::strcmp(argv[1], "--repair") == 0) return repair_lines();
    if (argc != 2 && argc != 3) throw std::runtime_error("usage: tokenize_lines TOKENIZER.JSON [MAX_TOKENS]");
    const Tokenizer tokenizer = Tokenizer::from_file(argv[1]);
    return print_lines(tokenizer, argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0);
  } catch (const std::exception& e) {
    std::cerr << "tokenize_lines: " << e.what() << '\n';
    return 1;
  }
}
