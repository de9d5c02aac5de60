#include "tokenizer/bpe.h"

#include <algorithm>

#include "include/nybble/error.h"
#include "tokenizer/code_points.h"
#include "tokenizer/simple_normalizers.h"

namespace nybble::tokenizer {
namespace {

/// Bytes of a word up to which chains are not asked for: one such word must not have them built.
constexpr std::size_t kShortest = 64;

void add(BpeScratch& scratch, std::int32_t id, std::size_t size) {
  scratch.symbols.push_back({id, static_cast<std::uint32_t>(size)});
}

/// Cuts a word into the symbols that merging starts from, or those that it ends with.
class SymbolReader {
 public:
  SymbolReader(const Bpe& model, std::string_view word, BpeScratch& out)
      : model_(model), word_(word), out_(out) {}

  void run() {
    for (std::size_t at = 0; at < word_.size();) {
      const std::size_t size = read_code_point(word_, at).size;
      take(at, size);
      at += size;
    }
    put_unknown();
  }

  /// Puts what the symbols become, by the model's chains; false if that must be found by merging. What is
  /// unknown joins to nothing, but what is dropped leaves its neighbours side by side.
  bool run_chains(const TokenChains& chains) {
    for (std::size_t at = 0; at < word_.size();) {
      const std::size_t size = read_code_point(word_, at).size;
      if (find(word_.substr(at, size), false, false) < 0) {
        take(at, size);
        if (dropped_) return false;
        at += size;
        continue;
      }
      put_unknown();
      const auto known = chains.append(word_.substr(at), model_.merges, out_);
      if (!known) return false;
      at += *known;
    }
    put_unknown();
    return true;
  }

 private:
  void take(std::size_t at, std::size_t size) {
    const std::string_view character = word_.substr(at, size);
    const bool last = at + size == word_.size();
    if (const std::int32_t id = find(character, at == 0, last); id >= 0) {
      put_unknown();
      return add(out_, id, size);
    }
    if (model_.byte_fallback && fall_back(character, at == 0, last)) return;
    if (!model_.has_unknown) {
      dropped_ = true;
      return;
    }
    if (model_.unknown_id < 0) {
      throw Error(
          ErrorCode::bad_input,
          "A word has a character that the tokenizer's vocabulary lacks, and so it does its unk_token.");
    }
    if (!model_.fuse_unknown) put_unknown();
    unknown_ += size;
  }

  std::int32_t find(std::string_view character, bool first, bool last) const {
    if (model_.prefix.empty() && model_.suffix.empty()) {
      const auto byte = static_cast<std::uint8_t>(character[0]);
      if (character.size() == 1 && byte < model_.ascii_ids.size()) return model_.ascii_ids[byte];
      return model_.vocabulary.id(character).value_or(-1);
    }
    std::string token = first ? "" : model_.prefix;
    token += character;
    if (last) token += model_.suffix;
    return model_.vocabulary.id(token).value_or(-1);
  }

  /// A symbol for each byte, those of prefix and suffix included; false if some byte has none.
  bool fall_back(std::string_view character, bool first, bool last) {
    std::string text = first ? "" : model_.prefix;
    text += character;
    if (last) text += model_.suffix;
    const auto id = [&](char byte) { return model_.byte_ids[static_cast<std::uint8_t>(byte)]; };
    if (std::any_of(text.begin(), text.end(), [&](char byte) { return id(byte) < 0; })) return false;
    for (const char byte : text) add(out_, id(byte), 1);
    return true;
  }

  void put_unknown() {
    if (unknown_ > 0) add(out_, model_.unknown_id, unknown_);
    unknown_ = 0;
  }

  const Bpe& model_;
  std::string_view word_;
  BpeScratch& out_;
  std::size_t unknown_ = 0;  ///< bytes that wait to become one unknown token
  bool dropped_ = false;     ///< some character became nothing
};

std::string spelled_in_characters(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_code_point(out, byte_characters()[static_cast<std::uint8_t>(byte)]);
  return out;
}

/// Leaves the word's tokens in scratch.symbols.
void merge_word(const Bpe& model, std::string_view word, bool bytes, BpeScratch& scratch) {
  scratch.symbols.clear();
  if (bytes) {
    for (const char byte : word) add(scratch, model.character_ids[static_cast<std::uint8_t>(byte)], 1);
    return merge_pairs(model.merges, scratch.symbols, scratch);
  }
  if (model.chains && word.size() > kShortest) {
    const TokenChains* chains = model.chains->get(model.vocabulary, model.merges);
    if (chains != nullptr && SymbolReader(model, word, scratch).run_chains(*chains)) return;
    scratch.symbols.clear();
  }
  SymbolReader(model, word, scratch).run();
  merge_pairs(model.merges, scratch.symbols, scratch);
}

}  // namespace

void Bpe::tokenize(std::string_view word, bool bytes, BpeScratch& scratch,
                   std::vector<ModelToken>& out) const {
  if (ignore_merges) {
    const auto id = vocabulary.id(bytes ? spelled_in_characters(word) : std::string(word));
    if (id) return out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
  }
  const bool small = word.size() <= WordCache::kLongest;
  const WordCache::Key key = small ? WordCache::key(word) : WordCache::Key{};
  if (small && cache.find(key, out)) return;
  const std::size_t before = out.size();
  merge_word(*this, word, bytes, scratch);
  std::uint32_t at = 0;
  for (const Symbol& s : scratch.symbols) {
    out.push_back({s.id, at, at + s.size});
    at += s.size;
  }
  if (small) cache.keep(key, {out.data() + before, out.size() - before});
}

}  // namespace nybble::tokenizer
