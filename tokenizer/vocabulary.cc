#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <cstring>

namespace nybble::tokenizer {
namespace {

/// The first eight bytes as a number that compares like them: most comparisons need no more.
std::uint64_t sort_key(std::string_view token) {
  std::uint64_t key = 0;
  std::memcpy(&key, token.data(), std::min<std::size_t>(token.size(), 8));
  return __builtin_bswap64(key);
}

}  // namespace

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
  entries_.reserve(tokens);
  text_.reserve(bytes);
}

void Vocabulary::add(std::string_view token, std::int32_t id) {
  entries_.push_back({text_.size(), token.size(), id});
  text_ += token;
  longest_ = std::max(longest_, token.size());
}

bool Vocabulary::freeze() {
  sort_by_token();
  std::vector<Trie::Entry> keys;
  keys.reserve(entries_.size());
  for (const Entry& entry : entries_) keys.push_back({text_of(entry), entry.id});
  auto built = Trie::build(keys);
  if (built) trie_ = std::move(*built);
  return built.has_value();
}

void Vocabulary::sort_by_token() {
  std::vector<Keyed> keyed(entries_.size());
  for (std::uint32_t i = 0; i < keyed.size(); ++i) keyed[i] = {sort_key(text_of(entries_[i])), i};
  std::sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    if (a.key != b.key) return a.key < b.key;
    const int order = text_of(entries_[a.index]).compare(text_of(entries_[b.index]));
    return order != 0 ? order < 0 : a.index < b.index;
  });
  const auto last = std::unique(keyed.rbegin(), keyed.rend(), [&](const Keyed& a, const Keyed& b) {
    return a.key == b.key && text_of(entries_[a.index]) == text_of(entries_[b.index]);
  });
  keyed.erase(keyed.begin(), last.base());
  index_by_id(keyed);
  std::vector<Entry> sorted;
  sorted.reserve(keyed.size());
  for (const Keyed& k : keyed) sorted.push_back(entries_[k.index]);
  entries_ = std::move(sorted);
}

/// Files list their tokens by id: taken in that order, there is nothing to sort.
void Vocabulary::index_by_id(const std::vector<Keyed>& keyed) {
  constexpr std::uint32_t kGone = 0xFFFFFFFF;
  std::vector<std::uint32_t> place(entries_.size(), kGone);
  for (std::uint32_t i = 0; i < keyed.size(); ++i) place[keyed[i].index] = i;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (place[i] != kGone) by_id_.push_back({entries_[i].id, place[i]});
  }
  const auto before = [](const IdPlace& a, const IdPlace& b) {
    return a.id != b.id ? a.id < b.id : a.entry < b.entry;
  };
  if (!std::is_sorted(by_id_.begin(), by_id_.end(), before)) std::sort(by_id_.begin(), by_id_.end(), before);
}

std::optional<std::int32_t> Vocabulary::id(std::string_view token) const {
  const std::int32_t found = trie_.find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::string_view Vocabulary::token(std::int32_t id) const {
  const auto dense = static_cast<std::size_t>(id);
  if (id >= 0 && dense < by_id_.size() && by_id_[dense].id == id &&
      (dense + 1 == by_id_.size() || by_id_[dense + 1].id != id)) {
    return text_of(entries_[by_id_[dense].entry]);
  }
  const auto after = std::upper_bound(by_id_.begin(), by_id_.end(), id,
                                      [](std::int32_t wanted, const IdPlace& at) { return wanted < at.id; });
  if (after == by_id_.begin() || (after - 1)->id != id) return {};
  return text_of(entries_[(after - 1)->entry]);
}

Vocabulary read_vocabulary(const JsonNode& node) {
  const auto object = node.object();
  Vocabulary out;
  out.reserve(object.size(), object.size() * 8);
  for (const auto& [token, element] : object) {
    std::int64_t id = -1;
    const bool integer = element.get_int64().get(id) == simdjson::SUCCESS;
    if (!integer || id != static_cast<std::int32_t>(id) || id < 0) id = node.member(token, element).id();
    out.add(token, static_cast<std::int32_t>(id));
  }
  if (!out.freeze()) node.fail("tokens that share their starts in at most 8 million trie nodes", "more");
  return out;
}

}  // namespace nybble::tokenizer
