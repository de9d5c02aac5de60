#include "tokenizer/bpe.h"

#include <algorithm>
#include <functional>

#include "include/nybble/error.h"
#include "tokenizer/code_points.h"
#include "tokenizer/simple_normalizers.h"

namespace nybble::tokenizer {
namespace {

/// Up to here the lowest rank is looked for anew each time: cheaper than a heap.
constexpr std::size_t kShort = 48;

using Symbol = BpeScratch::Symbol;

void add(BpeScratch& scratch, std::int32_t id, std::size_t size) {
  scratch.symbols.push_back({id, static_cast<std::uint32_t>(size), {}, 0, 0});
}

/// Cuts a word into the symbols that merging starts from.
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

 private:
  void take(std::size_t at, std::size_t size) {
    const std::string_view character = word_.substr(at, size);
    const bool last = at + size == word_.size();
    if (const std::int32_t id = find(character, at == 0, last); id >= 0) {
      put_unknown();
      return add(out_, id, size);
    }
    if (model_.byte_fallback && fall_back(character, at == 0, last)) return;
    if (!model_.has_unknown) return;
    if (model_.unknown_id < 0) {
      throw Error(
          ErrorCode::bad_input,
          "A word has a character that the tokenizer's vocabulary lacks, and so it does its unk_token.");
    }
    if (!model_.fuse_unknown) put_unknown();
    unknown_ += size;
  }

  std::int32_t find(std::string_view character, bool first, bool last) const {
    if (model_.may_be_cut && character.size() == 1)
      return model_.ascii_ids[static_cast<std::uint8_t>(character[0])];
    if (model_.prefix.empty() && model_.suffix.empty()) return model_.vocabulary.id(character).value_or(-1);
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
};

void merge_short(const MergeTable& merges, BpeScratch& scratch) {
  auto& symbols = scratch.symbols;
  const auto look_at = [&](std::size_t i) {
    ++scratch.steps;
    symbols[i].merge =
        i + 1 < symbols.size() ? merges.find(symbols[i].id, symbols[i + 1].id) : MergeTable::Merge{};
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) look_at(i);
  while (symbols.size() > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < symbols.size(); ++i) {
      if (symbols[i].merge.rank < symbols[best].merge.rank) best = i;
    }
    if (symbols[best].merge.rank == MergeTable::kNone) return;
    symbols[best].id = symbols[best].merge.id;
    symbols[best].size += symbols[best + 1].size;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    look_at(best);
    if (best > 0) look_at(best - 1);
  }
}

/// Symbols linked both ways, pairs in a heap by rank and place. A pair that is no longer there is known by
/// its rank: one pair has one.
class LongMerge {
 public:
  LongMerge(const MergeTable& merges, BpeScratch& scratch)
      : merges_(merges), scratch_(scratch), symbols_(scratch.symbols), heap_(scratch.heap) {}

  void run() {
    const auto count = static_cast<std::uint32_t>(symbols_.size());
    heap_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      symbols_[i].previous = i == 0 ? kNobody : i - 1;
      symbols_[i].next = i + 1 == count ? kNobody : i + 1;
    }
    for (std::uint32_t i = 0; i < count; ++i) look_at(i, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      ++scratch_.steps;
      const auto at = static_cast<std::uint32_t>(top);
      if (symbols_[at].size != 0 && symbols_[at].merge.rank == top >> 32) join(at);
    }
    std::erase_if(symbols_, [](const Symbol& s) { return s.size == 0; });
  }

 private:
  static constexpr std::uint32_t kNobody = 0xFFFFFFFF;

  void look_at(std::uint32_t at, bool ordered = true) {
    Symbol& s = symbols_[at];
    ++scratch_.steps;
    s.merge = s.next == kNobody ? MergeTable::Merge{} : merges_.find(s.id, symbols_[s.next].id);
    if (s.merge.rank == MergeTable::kNone) return;
    heap_.push_back(std::uint64_t{s.merge.rank} << 32 | at);
    if (ordered) std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  }

  void join(std::uint32_t at) {
    Symbol& left = symbols_[at];
    Symbol& right = symbols_[left.next];
    left.id = left.merge.id;
    left.size += right.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNobody) symbols_[left.next].previous = at;
    look_at(at);
    if (left.previous != kNobody) look_at(left.previous);
  }

  const MergeTable& merges_;
  BpeScratch& scratch_;
  std::vector<Symbol>& symbols_;
  std::vector<std::uint64_t>& heap_;
};

std::string spelled_in_characters(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_code_point(out, byte_characters()[static_cast<std::uint8_t>(byte)]);
  return out;
}

void merge_word(const Bpe& model, std::string_view word, bool bytes, BpeScratch& scratch) {
  scratch.symbols.clear();
  if (bytes) {
    for (const char byte : word) add(scratch, model.character_ids[static_cast<std::uint8_t>(byte)], 1);
  } else {
    SymbolReader(model, word, scratch).run();
  }
  if (scratch.symbols.size() <= kShort) return merge_short(model.merges, scratch);
  LongMerge(model.merges, scratch).run();
}

/// Whether the model takes what is left and right of the border between two characters each by itself.
bool cuts(const Bpe& model, char32_t left, char32_t right) {
  if (left < 128 && right < 128) return model.ascii_cuts[left][right];
  if (model.junctions.find(static_cast<std::int32_t>(left), static_cast<std::int32_t>(right)).rank !=
      MergeTable::kNone)
    return false;
  const auto known = [&](char32_t c) {
    if (c < 128) return model.ascii_known[c];
    char character[4];
    return model.vocabulary.id({character, write_code_point(character, c)}).has_value();
  };
  return known(left) && known(right);
}

std::size_t end_of_part(const Bpe& model, std::string_view word, std::size_t begin) {
  CodePoint left = read_code_point(word, begin);
  for (std::size_t at = begin + left.size; at < word.size();) {
    const CodePoint right = read_code_point(word, at);
    if (cuts(model, left.value, right.value)) return at;
    at += right.size;
    left = right;
  }
  return word.size();
}

}  // namespace

void MergeTable::reserve(std::size_t merges) {
  std::size_t size = 2;
  shift_ = 63;
  while (size < 2 * merges) size *= 2, --shift_;
  slots_.assign(size, {});
  mask_ = size - 1;
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = key_of(left, right);
  std::size_t at = place(key);
  while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & mask_;
  slots_[at] = {key, merge};
}

void Bpe::tokenize(std::string_view word, bool bytes, BpeScratch& scratch,
                   std::vector<ModelToken>& out) const {
  if (ignore_merges) {
    const auto id = vocabulary.id(bytes ? spelled_in_characters(word) : std::string(word));
    if (id) return out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
  }
  if (bytes || !may_be_cut || word.size() <= WordCache::kLongest)
    return tokenize_part(word, 0, bytes, scratch, out);
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = end_of_part(*this, word, begin);
    tokenize_part(word.substr(begin, end - begin), static_cast<std::uint32_t>(begin), bytes, scratch, out);
    begin = end;
  }
}

void Bpe::tokenize_part(std::string_view part, std::uint32_t begin, bool bytes, BpeScratch& scratch,
                        std::vector<ModelToken>& out) const {
  const bool small = part.size() <= WordCache::kLongest;
  const WordCache::Key key = small ? WordCache::key(part) : WordCache::Key{};
  const std::size_t before = out.size();
  if (!small || !cache.find(key, out)) {
    merge_word(*this, part, bytes, scratch);
    std::uint32_t at = 0;
    for (const Symbol& s : scratch.symbols) {
      out.push_back({s.id, at, at + s.size});
      at += s.size;
    }
    if (small) cache.keep(key, {out.data() + before, out.size() - before});
  }
  if (begin == 0) return;
  for (std::size_t i = before; i < out.size(); ++i) {
    out[i].begin += begin;
    out[i].end += begin;
  }
}

}  // namespace nybble::tokenizer
