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
    std::vector<bool> taken(ids);
    for (const auto& [text, id] : entries_) {
      if (taken[static_cast<std::size_t>(id)]) return false;
      taken[static_cast<std::size_t>(id)] = true;
      token(id).size = static_cast<std::uint32_t>(text.size());
      if (!text.empty() && read_code_point(text, 0).size == text.size()) token(id).order = 0;
    }
    return true;
  }

  /// The merges, those of short tokens first: parts before what they make.
  std::vector<Candidate> candidates() {
    std::vector<std::size_t> ends;
    merges_.for_each([&](std::int32_t, std::int32_t, MergeTable::Merge merge) {
      const std::size_t size = token(merge.id).size;
      if (ends.size() < size + 2) ends.resize(size + 2);
      ++ends[size + 1];
    });
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
    std::vector<Candidate> out(ends.empty() ? 0 : ends.back());
    merges_.for_each([&](std::int32_t left, std::int32_t right, MergeTable::Merge merge) {
      out[ends[token(merge.id).size]++] = {left, right, merge};
    });
    return out;
  }

  /// The token stands if both parts do and nothing joins across their border before they are whole.
  void consider(const Candidate& candidate) {
    const auto& [left, right, merge] = candidate;
    Token& made = token(merge.id);
    const Token &l = token(left), &r = token(right);
    if (stands(merge.id) || !stands(left) || !stands(right)) return;
    const bool tried = l.tried || r.tried;
    if (tried) {
      out_.try_out(left, right, merges_, scratch_);
      if (scratch_.trial.size() != 1) return;
    } else if (!out_.stay_apart(left, right, 0, merges_, scratch_)) {
      return;
    }
    made.left = left;
    made.right = right;
    made.order = merge.rank + 1;
    made.tried = tried || made.order < l.order || made.order < r.order;
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
    for (std::int32_t id = longest(); id >= 0;) {
      if (scratch_.steps > most_steps_) return std::nullopt;
      if (fits(id)) {
        const std::uint32_t size = chains_.token(id).size;
        symbols_.push_back({id, size});
        at_ += size;
        id = longest();
      } else {
        id = chains_.token(id).shorter;
        while (id < 0 && symbols_.size() > first_) id = go_back();
        if (id < 0) return std::nullopt;
      }
    }
    return at_;
  }

 private:
  /// English takes 4 steps a byte.
  static constexpr std::uint64_t kSteps = 4096, kStepsPerByte = 64;

  /// The longest token that the text goes on with; -1 at its end and before an unknown character.
  std::int32_t longest() {
    Trie::State state = Trie::kRoot;
    std::int32_t id = -1;
    std::size_t end = at_;
    while (end < text_.size() && chains_.trie_.step(state, static_cast<std::uint8_t>(text_[end]))) {
      ++end;
      if (const std::int32_t found = chains_.trie_.value(state); found >= 0) id = found;
    }
    scratch_.steps += end - at_ + 1;
    return id;
  }

  bool fits(std::int32_t id) {
    const std::size_t end = at_ + chains_.token(id).size;
    if ((scratch_.dead[end / 64] >> end % 64 & 1) != 0) return false;
    return symbols_.size() == first_ ||
           chains_.stay_apart(symbols_.back().id, id, MergeTable::kNone, merges_, scratch_);
  }

  /// Nothing goes on from here: takes the last token off, and returns what to try for it.
  std::int32_t go_back() {
    scratch_.dead[at_ / 64] |= std::uint64_t{1} << at_ % 64;
    const Symbol last = symbols_.back();
    symbols_.pop_back();
    at_ -= last.size;
    return chains_.token(last.id).shorter;
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
  const Token *left = &token(x), *right = &token(y);
  if (left->tried || right->tried) return apart_by_trial(x, y, merges, scratch);
  for (;;) {
    ++scratch.steps;
    if (merges.find(x, y).rank < limit) return false;
    if (left->order > right->order) {
      limit = left->order - 1;
      x = left->right;
      left = &token(x);
    } else {
      if (right->order == 0) return true;
      limit = right->order;
      y = right->left;
      right = &token(y);
    }
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
