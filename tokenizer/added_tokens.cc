#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "include/nybble/error.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

/// Bounds the steps that a byte of text can cost.
constexpr std::size_t kMaxContent = 4096;

bool word_char_before(std::string_view text, std::size_t at) {
  return at > 0 && unicode::has(read_code_point_before(text, at).value, unicode::kWordChar);
}

bool word_char_at(std::string_view text, std::size_t at) {
  return at < text.size() && unicode::has(read_code_point(text, at).value, unicode::kWordChar);
}

/// The start of the white space that ends at `end`, not before `floor`.
std::size_t space_before(std::string_view text, std::size_t end, std::size_t floor) {
  while (end > floor) {
    const CodePoint c = read_code_point_before(text, end);
    if (!unicode::has(c.value, unicode::kSpace)) break;
    end -= c.size;
  }
  return end;
}

std::size_t space_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint c = read_code_point(text, at);
    if (!unicode::has(c.value, unicode::kSpace)) break;
    at += c.size;
  }
  return at;
}

/// Turns matches into splits.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  void add(const AddedTokenFinder::Match& match, std::size_t begin) {
    std::size_t end = match.end;
    if (match.token->lstrip) begin = std::max(space_before(text_, begin, done_), done_);
    if (match.token->rstrip) end = after_space(end);
    if (begin >= end) return;
    push(nullptr, done_, begin);
    push(match.token, begin, end);
    done_ = end;
  }

  std::vector<AddedSplit> finish() {
    push(nullptr, done_, text_.size());
    return std::move(splits_);
  }

 private:
  void push(const AddedToken* token, std::size_t begin, std::size_t end) {
    if (begin >= end) return;
    splits_.push_back({token, {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}});
  }

  /// Remembers the end of the last run: tokens that are white space themselves would walk it again and again.
  std::size_t after_space(std::size_t at) {
    if (at < run_begin_ || at > run_end_) {
      run_begin_ = at;
      run_end_ = space_after(text_, at);
    }
    return run_end_;
  }

  std::string_view text_;
  std::vector<AddedSplit> splits_;
  std::size_t done_ = 0;
  std::size_t run_begin_ = 1, run_end_ = 0;
};

AddedToken read_added_token(const JsonNode& node) {
  AddedToken out;
  node.field("id").id();
  out.content = node.field("content").text();
  out.single_word = node.field("single_word").boolean();
  out.lstrip = node.field("lstrip").boolean();
  out.rstrip = node.field("rstrip").boolean();
  out.normalized = node.field("normalized").boolean();
  out.special = node.field("special").boolean();
  if (out.content.size() > kMaxContent) {
    node.field("content").fail("at most " + std::to_string(kMaxContent) + " bytes",
                               std::to_string(out.content.size()));
  }
  return out;
}

/// Those of the array that have a content.
std::vector<AddedToken> read_added_tokens(const std::optional<JsonNode>& node) {
  std::vector<AddedToken> out;
  if (!node) return out;
  for (const JsonNode& element : node->elements()) {
    AddedToken token = read_added_token(element);
    if (!token.content.empty()) out.push_back(std::move(token));
  }
  return out;
}

auto everything_of(const AddedToken& t) {
  return std::tie(t.content, t.single_word, t.lstrip, t.rstrip, t.normalized, t.special);
}

struct ByEverything {
  bool operator()(const AddedToken& a, const AddedToken& b) const {
    return everything_of(a) < everything_of(b);
  }
};

/// What the reference does when it adds tokens one by one: ids, and the order in which they are looked for.
struct Registration {
  std::map<std::string, std::int32_t, std::less<>> id_of;
  std::map<std::int32_t, AddedToken> token_of;  ///< the last with an id holds
  std::vector<AddedToken> order;                ///< special tokens first
};

Registration register_tokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                             const std::optional<JsonNode>& node) {
  Registration out;
  std::set<std::string_view> special;
  for (const AddedToken& token : tokens) {
    if (token.special && special.insert(token.content).second) out.order.push_back(token);
  }
  auto next_id = static_cast<std::int64_t>(vocabulary.size());
  std::set<AddedToken, ByEverything> seen;
  for (const AddedToken& token : tokens) {
    if (!seen.insert(token).second) continue;
    auto known = out.id_of.find(token.content);
    if (known == out.id_of.end()) {
      const auto id = vocabulary.id(token.content);
      if (!id && next_id > std::numeric_limits<std::int32_t>::max()) node->fail("fewer tokens");
      known = out.id_of.emplace(token.content, id ? *id : static_cast<std::int32_t>(next_id++)).first;
    }
    out.token_of[known->second] = token;
    if (!special.contains(token.content)) out.order.push_back(token);
  }
  return out;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(const std::vector<Pattern>& patterns) {
  std::map<std::string_view, std::int32_t> index_of;
  for (const Pattern& pattern : patterns) {
    const auto index = static_cast<std::int32_t>(tokens_.size());
    if (!index_of.emplace(pattern.text, index).second) continue;
    tokens_.push_back(pattern.token);
    starts_[static_cast<std::uint8_t>(pattern.text[0])] = true;
  }
  std::vector<Trie::Entry> entries;
  for (const auto& [text, index] : index_of) entries.push_back({text, index});
  auto built = Trie::build(entries);
  if (!built) throw Error(ErrorCode::unsupported_model, "The added tokens are too many.");
  trie_ = std::move(*built);
}

std::optional<AddedTokenFinder::Match> AddedTokenFinder::match(std::string_view text, std::size_t at) const {
  std::int32_t found = -1;
  std::size_t end = at;
  Trie::State state = Trie::kRoot;
  for (std::size_t i = at; i < text.size() && trie_.step(state, static_cast<std::uint8_t>(text[i])); ++i) {
    if (trie_.value(state) < 0) continue;
    found = trie_.value(state);
    end = i + 1;
  }
  if (found < 0) return std::nullopt;
  const AddedToken* token = tokens_[static_cast<std::size_t>(found)];
  const bool holds = !token->single_word || !(word_char_before(text, at) || word_char_at(text, end));
  return Match{token, end, holds};
}

std::vector<AddedSplit> AddedTokenFinder::split(std::string_view text) const {
  Splitter splitter(text);
  for (std::size_t at = 0; !empty() && at < text.size();) {
    const auto found = may_start(static_cast<std::uint8_t>(text[at])) ? match(text, at) : std::nullopt;
    if (found && found->holds) splitter.add(*found, at);
    at = found ? found->end : at + 1;
  }
  return splitter.finish();
}

AddedTokens::AddedTokens(const std::optional<JsonNode>& node, const Vocabulary& vocabulary,
                         const Normalize& normalize) {
  const Registration registered = register_tokens(read_added_tokens(node), vocabulary, node);
  for (const auto& [content, id] : registered.id_of) ids_.add(content, id);
  if (!ids_.freeze()) node->fail("fewer tokens");
  for (const AddedToken& token : registered.order) {
    if (token.special) special_.insert(token.content);
  }
  for (const auto& [id, token] : registered.token_of) {
    by_id_.push_back(token);
    by_id_.back().id = id;
  }
  std::vector<AddedTokenFinder::Pattern> raw, normalized;
  for (const AddedToken& token : registered.order) {
    const AddedToken* holder = find(*ids_.id(token.content));
    auto& patterns = token.normalized ? normalized : raw;
    patterns.push_back({token.normalized ? normalize(token.content) : token.content, holder});
    if (patterns.back().text.empty()) {
      node->fail("tokens that the normalizer leaves something of", in_quotes(token.content));
    }
  }
  raw_ = AddedTokenFinder(raw);
  normalized_ = AddedTokenFinder(normalized);
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto at = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                   [](const AddedToken& a, std::int32_t wanted) { return a.id < wanted; });
  return at == by_id_.end() || at->id != id ? nullptr : &*at;
}

std::optional<std::int32_t> AddedTokens::id(std::string_view content) const { return ids_.id(content); }

std::string_view AddedTokens::token(std::int32_t id) const {
  const AddedToken* token = find(id);
  return token == nullptr ? std::string_view{} : token->content;
}

}  // namespace nybble::tokenizer
