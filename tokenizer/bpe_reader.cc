// Reading the model BPE from a tokenizer.json.
#include "tokenizer/bpe.h"
#include "tokenizer/code_points.h"
#include "tokenizer/simple_normalizers.h"

namespace nybble::tokenizer {
namespace {

std::string_view optional_text(const JsonNode& node, std::string_view name) {
  const auto field = node.optional_field(name);
  return field && !field->is_null() ? field->text() : std::string_view{};
}

bool optional_flag(const JsonNode& node, std::string_view name) {
  const auto field = node.optional_field(name);
  return field && !field->is_null() && field->boolean();
}

struct Pair {
  std::string_view left, right;
};

/// ["a", "b"], or "a b" as older files have it.
bool read_pair(simdjson::dom::element element, Pair& out) {
  std::string_view both;
  if (element.get_string().get(both) == simdjson::SUCCESS) {
    const std::size_t blank = both.find(' ');
    if (blank == std::string_view::npos || both.find(' ', blank + 1) != std::string_view::npos) return false;
    out = {both.substr(0, blank), both.substr(blank + 1)};
    return true;
  }
  simdjson::dom::array two;
  return element.get_array().get(two) == simdjson::SUCCESS && two.size() == 2 &&
         two.at(0).get_string().get(out.left) == simdjson::SUCCESS &&
         two.at(1).get_string().get(out.right) == simdjson::SUCCESS;
}

class MergeReader {
 public:
  MergeReader(Bpe& model, std::string_view unknown, const JsonNode& node)
      : model_(model),
        vocabulary_(model.vocabulary),
        unknown_(unknown),
        prefix_(model.prefix.size()),
        node_(node) {}

  /// Whether symbols are characters that join by their text alone: neither affixes, nor merges of bytes or of
  /// the unknown token.
  bool run() {
    simdjson::dom::array merges;
    if (node_.element().get_array().get(merges) != simdjson::SUCCESS) node_.fail("an array");
    model_.merges.reserve(merges.size());
    by_text_ = model_.prefix.empty() && model_.suffix.empty();
    for (const simdjson::dom::element element : merges) add(element, index_++);
    return by_text_;
  }

 private:
  void add(simdjson::dom::element element, std::size_t index) {
    const bool text = element.is_string();
    if (index == 0) texts_ = text;
    if (text != texts_) node_.element_at(index, element).fail("merges that are all texts or all pairs");
    if (text && element.get_string().value_unsafe().starts_with("#version")) return;
    Pair pair;
    if (!read_pair(element, pair)) node_.element_at(index, element).fail("two tokens");
    if (pair.right.size() < prefix_)
      node_.element_at(index, element).fail("a second token with continuing_subword_prefix");
    const std::int32_t left = find(index, element, pair.left), right = find(index, element, pair.right);
    joined_.assign(pair.left).append(pair.right.substr(prefix_));
    const auto made = vocabulary_.id_after(place_, joined_);
    if (!made) node_.element_at(index, element).fail("tokens of the vocabulary", in_quotes(joined_));
    model_.merges.add(left, right, {rank_++, *made});
    by_text_ = by_text_ && stands_for_itself(pair.left) && stands_for_itself(pair.right);
  }

  bool stands_for_itself(std::string_view token) const {
    const bool byte = token.size() == 6 && token.starts_with("<0x");
    return !token.empty() && !byte && token != unknown_;
  }

  std::int32_t find(std::size_t index, simdjson::dom::element element, std::string_view token) const {
    if (const auto id = vocabulary_.id(token)) return *id;
    node_.element_at(index, element).fail("tokens of the vocabulary", in_quotes(token));
  }

  Bpe& model_;
  const Vocabulary& vocabulary_;
  std::string_view unknown_;
  std::size_t prefix_;
  const JsonNode& node_;
  std::string joined_;
  std::size_t place_ = 0;  ///< of the token that the last merge made
  std::size_t index_ = 0;
  std::uint32_t rank_ = 0;
  bool texts_ = false;
  bool by_text_ = false;
};

std::string byte_token(unsigned byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>';
}

void find_bytes(Bpe& model) {
  model.byte_level = model.prefix.empty() && model.suffix.empty();
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string character;
    append_code_point(character, byte_characters()[byte]);
    model.byte_ids[byte] = model.vocabulary.id(byte_token(byte)).value_or(-1);
    model.character_ids[byte] = model.vocabulary.id(character).value_or(-1);
    model.byte_level = model.byte_level && model.character_ids[byte] >= 0;
  }
}

void find_ascii(Bpe& model) {
  for (std::size_t c = 0; c < 128; ++c) {
    const char character = static_cast<char>(c);
    model.ascii_ids[c] = model.vocabulary.id({&character, 1}).value_or(-1);
  }
}

/// Words that are spelled in bytes are short, as ByteLevel cuts at blanks: a vocabulary of nothing but them
/// needs no chains.
bool spells_bytes_alone(const Bpe& model) {
  return model.byte_level && !model.vocabulary.id(" ") && !model.vocabulary.id("\u2581");
}

}  // namespace

Bpe read_bpe(const JsonNode& node) {
  Bpe out;
  out.vocabulary = read_vocabulary(node.field("vocab"), true);
  out.prefix = optional_text(node, "continuing_subword_prefix");
  out.suffix = optional_text(node, "end_of_word_suffix");
  const bool by_text = MergeReader(out, optional_text(node, "unk_token"), node.field("merges")).run();
  const auto unknown = node.optional_field("unk_token");
  out.has_unknown = unknown && !unknown->is_null();
  if (out.has_unknown) out.unknown_id = out.vocabulary.id(unknown->text()).value_or(-1);
  out.fuse_unknown = optional_flag(node, "fuse_unk");
  out.byte_fallback = optional_flag(node, "byte_fallback");
  out.ignore_merges = optional_flag(node, "ignore_merges");
  find_bytes(out);
  find_ascii(out);
  if (by_text && !spells_bytes_alone(out)) out.chains = std::make_unique<LazyChains>();
  return out;
}

}  // namespace nybble::tokenizer
