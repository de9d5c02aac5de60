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
  index_by_id();
  std::vector<Trie::Entry> keys;
  keys.reserve(entries_.size());
  for (const Entry& entry : entries_) keys.push_back({text_of(entry), entry.id});
  auto built = Trie::build(keys);
  if (built) trie_ = std::move(*built);
  return built.has_value();
}

void Vocabulary::sort_by_token() {
  struct Keyed {
    std::uint64_t key;
    std::uint32_t index;
  };
  std::vector<Keyed> keyed(entries_.size());
  for (std::uint32_t i = 0; i < keyed.size(); ++i) keyed[i] = {sort_key(text_of(entries_[i])), i};
  std::sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    if (a.key != b.key) return a.key < b.key;
    const int order = text_of(entries_[a.index]).compare(text_of(entries_[b.index]));
    return order != 0 ? order < 0 : a.index < b.index;
  });
  std::vector<Entry> sorted;
  sorted.reserve(entries_.size());
  for (const Keyed& k : keyed) {
    const Entry& entry = entries_[k.index];
    if (!sorted.empty() && text_of(sorted.back()) == text_of(entry)) sorted.pop_back();
    sorted.push_back(entry);
  }
  entries_ = std::move(sorted);
}

void Vocabulary::index_by_id() {
  by_id_.resize(entries_.size());
  for (std::uint32_t i = 0; i < by_id_.size(); ++i) by_id_[i] = i;
  std::sort(by_id_.begin(), by_id_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return entries_[a].id != entries_[b].id ? entries_[a].id < entries_[b].id : a < b;
  });
}

std::optional<std::int32_t> Vocabulary::id(std::string_view token) const {
  const std::int32_t found = trie_.find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::string_view Vocabulary::token(std::int32_t id) const {
  const auto after =
      std::upper_bound(by_id_.begin(), by_id_.end(), id,
                       [&](std::int32_t wanted, std::uint32_t i) { return wanted < entries_[i].id; });
  if (after == by_id_.begin() || entries_[*(after - 1)].id != id) return {};
  return text_of(entries_[*(after - 1)]);
}

}  // namespace nybble::tokenizer
