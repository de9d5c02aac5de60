#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <cstring>

namespace nybble::tokenizer {
namespace {

/// Eight bytes from `at` on as a number that compares like them: most comparisons need no more than two.
std::uint64_t sort_key(std::string_view token, std::size_t at) {
  std::uint64_t key = 0;
  if (token.size() > at) std::memcpy(&key, token.data() + at, std::min<std::size_t>(token.size() - at, 8));
  return __builtin_bswap64(key);
}

/// Eight bytes at a time, each mixed by a multiplication whose halves are folded.
std::uint64_t hash_of(std::string_view token) {
  const auto mix = [](std::uint64_t a) {
    const auto product = static_cast<unsigned __int128>(a) * 0x9E3779B97F4A7C15;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::uint64_t hash = token.size();
  for (std::size_t at = 0; at < token.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, token.data() + at, std::min<std::size_t>(token.size() - at, 8));
    hash = mix(hash ^ eight) + 0xD6E8FEB86659FD93;
  }
  return mix(hash);
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
  different_ = entries_.size();
  std::vector<Trie::Entry> keys;
  keys.reserve(entries_.size());
  for (const Entry& entry : entries_) keys.push_back({text_of(entry), entry.id});
  auto built = Trie::build(keys);
  if (built) trie_ = std::move(*built);
  return built.has_value();
}

std::size_t Vocabulary::slot_of(std::string_view token, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.entry == 0) return at;
    if (slot.tag == hash >> 32 && text_of(entries_[slot.entry - 1]) == token) return at;
  }
}

void Vocabulary::freeze_hashed() {
  std::size_t size = 2;
  while (size < 2 * entries_.size()) size *= 2;
  slots_.assign(size, {});
  std::vector<Keyed> gone;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::string_view token = text_of(entries_[i]);
    const std::uint64_t hash = hash_of(token);
    Slot& slot = slots_[slot_of(token, hash)];
    if (slot.entry != 0) gone.push_back({0, 0, slot.entry - 1});
    slot = {static_cast<std::uint32_t>(hash >> 32), i + 1};
  }
  different_ = entries_.size() - gone.size();
  std::sort(gone.begin(), gone.end(), [](const Keyed& a, const Keyed& b) { return a.index < b.index; });
  by_id_.reserve(different_);
  auto next_gone = gone.begin();
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    if (next_gone != gone.end() && next_gone->index == i) {
      ++next_gone;
    } else {
      by_id_.push_back({entries_[i].id, i});
    }
  }
  const auto before = [&](const IdPlace& a, const IdPlace& b) {
    return a.id != b.id ? a.id < b.id : text_of(entries_[a.entry]) < text_of(entries_[b.entry]);
  };
  if (!std::is_sorted(by_id_.begin(), by_id_.end(), before)) std::sort(by_id_.begin(), by_id_.end(), before);
}

std::vector<Vocabulary::Keyed> Vocabulary::order_of_tokens() const {
  std::vector<Keyed> keyed(entries_.size());
  for (std::uint32_t i = 0; i < keyed.size(); ++i) {
    const std::string_view token = text_of(entries_[i]);
    keyed[i] = {sort_key(token, 0), sort_key(token, 8), i};
  }
  std::sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    if (a.key != b.key) return a.key < b.key;
    if (a.next != b.next) return a.next < b.next;
    const int order = text_of(entries_[a.index]).compare(text_of(entries_[b.index]));
    return order != 0 ? order < 0 : a.index < b.index;
  });
  const auto last = std::unique(keyed.rbegin(), keyed.rend(), [&](const Keyed& a, const Keyed& b) {
    return a.key == b.key && a.next == b.next && text_of(entries_[a.index]) == text_of(entries_[b.index]);
  });
  keyed.erase(keyed.begin(), last.base());
  return keyed;
}

void Vocabulary::sort_by_token() {
  const std::vector<Keyed> keyed = order_of_tokens();
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

std::vector<Trie::Entry> Vocabulary::sorted_entries() const {
  std::vector<Trie::Entry> out;
  out.reserve(different_);
  for (const Keyed& k : order_of_tokens()) out.push_back({text_of(entries_[k.index]), entries_[k.index].id});
  return out;
}

std::optional<std::int32_t> Vocabulary::id(std::string_view token) const {
  if (!slots_.empty()) {
    const Slot& slot = slots_[slot_of(token, hash_of(token))];
    return slot.entry == 0 ? std::nullopt : std::optional(entries_[slot.entry - 1].id);
  }
  const std::int32_t found = trie_.find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::optional<std::int32_t> Vocabulary::id_after(std::size_t& place, std::string_view token) const {
  const bool guessed =
      different_ == entries_.size() && place + 1 < entries_.size() && text_of(entries_[place + 1]) == token;
  const std::uint32_t entry = guessed ? 0 : slots_[slot_of(token, hash_of(token))].entry;
  if (!guessed && entry == 0) return std::nullopt;
  place = guessed ? place + 1 : entry - 1;
  return entries_[place].id;
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

Vocabulary read_vocabulary(const JsonNode& node, bool hashed) {
  const auto object = node.object();
  Vocabulary out;
  out.reserve(object.size(), object.size() * 8);
  for (const auto& [token, element] : object) {
    std::int64_t id = -1;
    const bool integer = element.get_int64().get(id) == simdjson::SUCCESS;
    if (!integer || id != static_cast<std::int32_t>(id) || id < 0) id = node.member(token, element).id();
    out.add(token, static_cast<std::int32_t>(id));
  }
  if (hashed) {
    out.freeze_hashed();
  } else if (!out.freeze())
    node.fail("tokens that share their starts in at most 8 million trie nodes", "more");
  return out;
}

}  // namespace nybble::tokenizer
