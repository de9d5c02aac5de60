#include "tokenizer/token_chains.h"

#include <algorithm>

#include "tokenizer/code_points.h"

namespace nybble::tokenizer {

/// Finds which tokens stand, and how they are made.
class ChainBuilder {
 public:
  ChainBuilder(const Vocabulary& vocabulary, const MergeTable& merges)
      : merges_(merges), entries_(vocabulary.sorted_entries()) {}

  std::optional<TokenChains> run() {
    if (!read_sizes()) return std::nullopt;
    for (const Candidate& candidate : candidates()) consider(candidate);
    link_starts();
    auto trie = Trie::build(entries_);
    if (!trie) return std::nullopt;
    out_.trie_ = std::move(*trie);
    return std::move(out_);
  }

 private:
  using Token = TokenChains::Token;
  struct Candidate {
    std::int32_t left, right;
    MergeTable::Merge merge;
  };

  std::uint32_t& size(std::int32_t id) { return out_.sizes_[static_cast<std::size_t>(id)]; }
  Token& token(std::int32_t id) { return out_.tokens_[static_cast<std::size_t>(id)]; }
  bool stands(std::int32_t id) { return token(id).order != TokenChains::kAbsent; }

  /// Of all tokens; characters stand. False if ids do not fit a table.
  bool read_sizes() {
    const auto larger = [](const Trie::Entry& a, const Trie::Entry& b) { return a.value < b.value; };
    const auto largest = std::max_element(entries_.begin(), entries_.end(), larger);
    if (largest == entries_.end()) return true;
    const auto ids = static_cast<std::size_t>(largest->value) + 1;
    if (ids > 2 * entries_.size() + 1024) return false;
    out_.tokens_.resize(ids);
    out_.sizes_.resize(ids);
    std::vector<bool> taken(ids);
    for (const auto& [text, id] : entries_) {
      if (taken[static_cast<std::size_t>(id)]) return false;
      taken[static_cast<std::size_t>(id)] = true;
      size(id) = static_cast<std::uint32_t>(text.size());
      const bool character = !text.empty() && read_code_point(text, 0).size == text.size();
      if (character) token(id) = {id, id, 0, -1};
    }
    return true;
  }

  /// The merges, those of short tokens first: parts before what they make.
  std::vector<Candidate> candidates() {
    std::vector<std::size_t> ends;
    merges_.for_each([&](std::int32_t, std::int32_t, MergeTable::Merge merge) {
      const std::size_t bytes = size(merge.id);
      if (ends.size() < bytes + 2) ends.resize(bytes + 2);
      ++ends[bytes + 1];
    });
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
    std::vector<Candidate> out(ends.empty() ? 0 : ends.back());
    merges_.for_each([&](std::int32_t left, std::int32_t right, MergeTable::Merge merge) {
      out[ends[size(merge.id)]++] = {left, right, merge};
    });
    return out;
  }

  /// The token stands if both parts do and nothing joins across their border before they are whole.
  void consider(const Candidate& candidate) {
    const auto& [left, right, merge] = candidate;
    Token& made = token(merge.id);
    const Token &l = token(left), &r = token(right);
    if (stands(merge.id) || !stands(left) || !stands(right)) return;
    const bool tried = l.order == TokenChains::kTried || r.order == TokenChains::kTried;
    if (tried) {
      out_.try_out(left, right, merges_, scratch_);
      if (scratch_.trial.size() != 1) return;
    } else if (!out_.stay_apart(left, right, 0, merges_, scratch_)) {
      return;
    }
    made.left = left;
    made.right = right;
    const std::uint32_t order = merge.rank + 1;
    made.order = tried || order < l.order || order < r.order ? TokenChains::kTried : order;
  }

  /// Drops entries that do not stand.
  void link_starts() {
    std::erase_if(entries_, [&](const Trie::Entry& entry) { return !stands(entry.value); });
    std::vector<const Trie::Entry*> starts;
    for (const Trie::Entry& entry : entries_) {
      while (!starts.empty() && !entry.key.starts_with(starts.back()->key)) starts.pop_back();
      if (!starts.empty()) token(entry.value).shorter = starts.back()->value;
      starts.push_back(&entry);
    }
  }

  const MergeTable& merges_;
  std::vector<Trie::Entry> entries_;  ///< by text
  TokenChains out_;
  BpeScratch scratch_;
};

class ChainSearch {
 public:
  ChainSearch(const TokenChains& chains, std::string_view text, const MergeTable& merges, BpeScratch& scratch)
      : chains_(chains),
        text_(text),
        merges_(merges),
        scratch_(scratch),
        symbols_(scratch.symbols),
        first_(scratch.symbols.size()),
        most_steps_(scratch.steps + kSteps + kStepsPerByte * text.size()) {}

  std::optional<std::size_t> run() {
    scratch_.dead.assign(text_.size() / 64 + 1, 0);
    for (Trie::Start next = longest(); next.value >= 0;) {
      if (scratch_.steps > most_steps_) return std::nullopt;
      if (fits(next)) {
        symbols_.push_back({next.value, next.size});
        at_ += next.size;
        next = longest();
      } else {
        const std::int32_t id = other_than(next.value);
        if (id < 0) return std::nullopt;
        next = {id, chains_.sizes_[static_cast<std::size_t>(id)], 0};
      }
    }
    return at_;
  }

 private:
  /// English takes 4 steps a byte.
  static constexpr std::uint64_t kSteps = 4096, kStepsPerByte = 64;

  /// The longest token that the text goes on with; none at its end and before an unknown character.
  Trie::Start longest() {
    const Trie::Start start = chains_.trie_.longest_start(text_.substr(at_));
    scratch_.steps += start.looks + 1;
    return start;
  }

  bool fits(const Trie::Start& next) {
    const std::size_t end = at_ + next.size;
    if ((scratch_.dead[end / 64] >> end % 64 & 1) != 0) return false;
    return symbols_.size() == first_ ||
           chains_.stay_apart(symbols_.back().id, next.value, merges_.end_of_ranks(), merges_, scratch_);
  }

  /// What to try after `id`: what is shorter, if need be in the place of tokens before, which are taken off
  /// as nothing goes on from where they end; -1: all was tried.
  std::int32_t other_than(std::int32_t id) {
    for (id = chains_.token(id).shorter; id < 0 && symbols_.size() > first_;) {
      scratch_.dead[at_ / 64] |= std::uint64_t{1} << at_ % 64;
      id = chains_.token(symbols_.back().id).shorter;
      at_ -= symbols_.back().size;
      symbols_.pop_back();
    }
    return id;
  }

  const TokenChains& chains_;
  std::string_view text_;
  const MergeTable& merges_;
  BpeScratch& scratch_;
  std::vector<Symbol>& symbols_;
  std::size_t first_;  ///< of the run's symbols
  std::uint64_t most_steps_;
  std::size_t at_ = 0;
};

std::optional<TokenChains> TokenChains::build(const Vocabulary& vocabulary, const MergeTable& merges) {
  return ChainBuilder(vocabulary, merges).run();
}

std::optional<std::size_t> TokenChains::append(std::string_view text, const MergeTable& merges,
                                               BpeScratch& scratch) const {
  return ChainSearch(*this, text, merges, scratch).run();
}

bool TokenChains::stay_apart(std::int32_t x, std::int32_t y, std::uint32_t limit, const MergeTable& merges,
                             BpeScratch& scratch) const {
  Token left = token(x), right = token(y);
  if (left.order == kTried || right.order == kTried) return apart_by_trial(x, y, merges, scratch);
  for (;;) {
    ++scratch.steps;
    if (merges.may_join(x, y, limit) && merges.find(x, y).rank < limit) return false;
    if ((left.order | right.order) == 0) return true;
    // Which side is the later one cannot be foreseen: what was before is loaded of both, and selected by a
    // mask, as compilers make a branch of anything else.
    const Token before_left = token(left.right), before_right = token(right.left);
    const auto mask = static_cast<std::uint32_t>(-static_cast<std::int32_t>(left.order > right.order));
    const auto pick = [mask](auto a, auto b) {
      return static_cast<decltype(a)>(b ^ ((a ^ b) & static_cast<decltype(a)>(mask)));
    };
    limit = pick(left.order - 1, right.order);
    x = pick(left.right, x);
    y = pick(y, right.left);
    left.order = pick(before_left.order, left.order);
    left.right = pick(before_left.right, left.right);
    right.order = pick(right.order, before_right.order);
    right.left = pick(right.left, before_right.left);
  }
}

bool TokenChains::apart_by_trial(std::int32_t x, std::int32_t y, const MergeTable& merges,
                                 BpeScratch& scratch) const {
  try_out(x, y, merges, scratch);
  return scratch.trial.size() == 2 && scratch.trial[0].id == x && scratch.trial[1].id == y;
}

void TokenChains::try_out(std::int32_t x, std::int32_t y, const MergeTable& merges,
                          BpeScratch& scratch) const {
  scratch.trial.clear();
  append_characters(x, scratch.trial);
  append_characters(y, scratch.trial);
  merge_pairs(merges, scratch.trial, scratch);
}

void TokenChains::append_characters(std::int32_t id, std::vector<Symbol>& out) const {
  const Token& t = token(id);
  if (t.order == 0) return out.push_back({id, 1});
  append_characters(t.left, out);
  append_characters(t.right, out);
}

}  // namespace nybble::tokenizer
