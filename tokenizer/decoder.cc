#include "tokenizer/decoder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tokenizer/kinds.h"
#include "tokenizer/simple_normalizers.h"
#include "tokenizer/utf8.h"

namespace nybble::tokenizer {
namespace {

using Tokens = std::vector<std::string>;
using Part = DecoderPart;

std::string exchanged(std::string_view text, std::string_view old, std::string_view by) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(old); !old.empty() && at != std::string_view::npos;
       at = text.find(old, done)) {
    out.append(text, done, at - done).append(by);
    done = at + old.size();
  }
  return out.append(text, done);
}

std::string without_blanks(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [old, by] : kRules) text = exchanged(text, old, by);
  return text;
}

Tokens run(const WordPieceDecoder& options, Tokens tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0)
      tokens[i] =
          tokens[i].starts_with(options.prefix) ? tokens[i].substr(options.prefix.size()) : " " + tokens[i];
    if (options.cleanup) tokens[i] = without_blanks(std::move(tokens[i]));
  }
  return tokens;
}

/// The bytes of a token, or its own where some character stands for none.
std::string bytes_of(const std::string& token) {
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const CodePoint c = read_code_point(token, at);
    const int byte = byte_of_character(c.value);
    if (byte < 0) return token;
    out.push_back(static_cast<char>(byte));
    at += c.size;
  }
  return out;
}

Tokens run(const ByteLevelDecoder&, Tokens tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += bytes_of(token);
  return {repair_utf8(bytes).text};
}

Tokens run(const MetaspaceDecoder& part, Tokens tokens) {
  const std::string character = part.options.character();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool drops = i == 0 && part.options.prepend != Metaspace::Prepend::never;
    tokens[i] = exchanged(tokens[i], character, drops ? "" : " ");
  }
  return tokens;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

int byte_of_token(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = token[3] == '+' ? 0 : hex_digit(token[3]);
  const int low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Bytes that are no UTF-8 become a U+FFFD each.
void put_bytes(std::string& bytes, Tokens& out) {
  if (!bytes.empty() && is_valid_utf8(bytes)) {
    out.push_back(bytes);
  } else {
    out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
  }
  bytes.clear();
}

Tokens run(const ByteFallbackDecoder&, Tokens tokens) {
  Tokens out;
  std::string bytes;
  for (std::string& token : tokens) {
    const int byte = byte_of_token(token);
    if (byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
      continue;
    }
    put_bytes(bytes, out);
    out.push_back(std::move(token));
  }
  put_bytes(bytes, out);
  return out;
}

Tokens run(const FuseDecoder&, Tokens tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  return {all};
}

Tokens run(const ReplaceDecoder& part, Tokens tokens) {
  for (std::string& token : tokens) token = replaced(part.replace, token);
  return tokens;
}

std::string stripped(std::string_view token, const StripDecoder& options) {
  std::string content;
  append_code_point(content, options.content);
  for (std::uint64_t i = 0; i < options.start && token.starts_with(content); ++i)
    token.remove_prefix(content.size());
  for (std::uint64_t i = 0; i < options.stop && token.ends_with(content); ++i)
    token.remove_suffix(content.size());
  return std::string(token);
}

Tokens run(const StripDecoder& options, Tokens tokens) {
  for (std::string& token : tokens) token = stripped(token, options);
  return tokens;
}

Tokens run(const BpeDecoder& options, Tokens tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = exchanged(tokens[i], options.suffix, i + 1 == tokens.size() ? "" : " ");
  return tokens;
}

Tokens run(const CtcDecoder& options, Tokens tokens) {
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  for (std::string& token : tokens) {
    token = exchanged(token, options.pad, "");
    if (options.cleanup) token = exchanged(without_blanks(std::move(token)), options.delimiter, " ");
  }
  std::erase(tokens, "");
  return tokens;
}

std::string some_text(const JsonNode& node) {
  if (node.text().empty()) node.fail("a text that is not empty");
  return std::string(node.text());
}

Part read_word_piece_decoder(const JsonNode& node) {
  return WordPieceDecoder{std::string(node.field("prefix").text()), node.field("cleanup").boolean()};
}

Part read_strip_decoder(const JsonNode& node) {
  return StripDecoder{node.field("content").character(), node.field("start").unsigned_number(),
                      node.field("stop").unsigned_number()};
}

Part read_ctc(const JsonNode& node) {
  return CtcDecoder{some_text(node.field("pad_token")), some_text(node.field("word_delimiter_token")),
                    node.field("cleanup").boolean()};
}

constexpr Kind<Part> kKinds[] = {
    {"WordPiece", read_word_piece_decoder},
    {"ByteLevel", [](const JsonNode&) -> Part { return ByteLevelDecoder{}; }},
    {"Metaspace", [](const JsonNode& node) -> Part { return MetaspaceDecoder{read_metaspace(node)}; }},
    {"ByteFallback", [](const JsonNode&) -> Part { return ByteFallbackDecoder{}; }},
    {"Fuse", [](const JsonNode&) -> Part { return FuseDecoder{}; }},
    {"Replace", [](const JsonNode& node) -> Part { return ReplaceDecoder{read_replace(node)}; }},
    {"Strip", read_strip_decoder},
    {"BPEDecoder", [](const JsonNode& node) -> Part { return BpeDecoder{some_text(node.field("suffix"))}; }},
    {"CTC", read_ctc},
};

}  // namespace

std::optional<Decoder> read_decoder(const JsonNode& root) {
  const auto node = root.optional_field("decoder");
  if (!node || node->is_null()) return std::nullopt;
  return read_optional_parts<Part>(root, "decoder", "decoders", kKinds);
}

std::string decode(const std::optional<Decoder>& decoder, Tokens tokens) {
  if (decoder) {
    for (const Part& part : *decoder) {
      tokens = std::visit([&](const auto& p) { return run(p, std::move(tokens)); }, part);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !decoder) out += ' ';
    out += tokens[i];
  }
  return out;
}

}  // namespace nybble::tokenizer
