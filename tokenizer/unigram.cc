#include "tokenizer/unigram.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "include/nybble/error.h"
#include "tokenizer/code_points.h"

namespace nybble::tokenizer {
namespace {

/// Bounds the steps that a byte of text can cost.
constexpr std::size_t kLongestToken = 4096;
constexpr double kUnknownPenalty = 10;

class Viterbi {
 public:
  Viterbi(const Unigram& model, std::string_view word, UnigramScratch& scratch)
      : model_(model), word_(word), nodes_(scratch.nodes), steps_(scratch.steps) {}

  void run() {
    nodes_.assign(word_.size() + 1, {0, -1, 0});
    for (std::size_t at = 0; at < word_.size();) {
      const std::size_t size = read_code_point(word_, at).size;
      if (!add_tokens(at, size)) add_unknown(at, size);
      at += size;
    }
  }

 private:
  /// True if one of them is the code point at `at` alone.
  bool add_tokens(std::size_t at, std::size_t size) {
    const Trie& trie = model_.vocabulary.trie();
    const double score = nodes_[at].score;
    Trie::State state = Trie::kRoot;
    bool single = false;
    for (std::size_t end = at; end < word_.size();) {
      ++steps_;
      if (!trie.step(state, static_cast<std::uint8_t>(word_[end]))) break;
      ++end;
      const std::int32_t id = trie.value(state);
      if (id < 0) continue;
      offer(at, end, id, score + model_.scores[static_cast<std::size_t>(id)]);
      single |= end == at + size;
    }
    return single;
  }

  void add_unknown(std::size_t at, std::size_t size) {
    const double score = model_.unknown_score + nodes_[at].score;
    UnigramScratch::Node& node = nodes_[at + size];
    if (node.id >= 0 && !(score > node.score)) return;
    if (model_.unknown_id < 0) {
      throw Error(
          ErrorCode::bad_input,
          "A word has a character that the tokenizer's vocabulary lacks, and the model has no unk_id.");
    }
    offer(at, at + size, model_.unknown_id, score);
  }

  void offer(std::size_t at, std::size_t end, std::int32_t id, double score) {
    UnigramScratch::Node& node = nodes_[end];
    if (node.id >= 0 && !(score > node.score)) return;
    node = {score, id, static_cast<std::uint32_t>(at)};
  }

  const Unigram& model_;
  std::string_view word_;
  std::vector<UnigramScratch::Node>& nodes_;
  std::uint64_t& steps_;
};

/// Reads the best path backwards.
class PathReader {
 public:
  PathReader(const Unigram& model, std::string_view word, const UnigramScratch& scratch,
             std::vector<ModelToken>& out)
      : model_(model), word_(word), nodes_(scratch.nodes), out_(out) {}

  void run() {
    const std::size_t before = out_.size();
    for (auto end = static_cast<std::uint32_t>(word_.size()); end > 0;) {
      const bool unknown = nodes_[end].id == model_.unknown_id;
      std::uint32_t start = nodes_[end].start;
      while (unknown && start > 0 && nodes_[start].id == model_.unknown_id) start = nodes_[start].start;
      unknown ? put_unknown(start, end) : out_.push_back({nodes_[end].id, start, end});
      end = start;
    }
    std::reverse(out_.begin() + static_cast<std::ptrdiff_t>(before), out_.end());
  }

 private:
  /// Unknown parts together may be a token after all, or bytes.
  void put_unknown(std::uint32_t start, std::uint32_t end) {
    const std::string_view text = word_.substr(start, end - start);
    if (const auto id = model_.vocabulary.id(text)) return out_.push_back({*id, start, end});
    const auto byte_id = [&](char byte) { return model_.byte_ids[static_cast<std::uint8_t>(byte)]; };
    const bool bytes = model_.byte_fallback &&
                       std::none_of(text.begin(), text.end(), [&](char byte) { return byte_id(byte) < 0; });
    if (!bytes) return out_.push_back({model_.unknown_id, start, end});
    for (std::size_t i = text.size(); i-- > 0;) out_.push_back({byte_id(text[i]), start, end});
  }

  const Unigram& model_;
  std::string_view word_;
  const std::vector<UnigramScratch::Node>& nodes_;
  std::vector<ModelToken>& out_;
};

/// The score as the reference reads it: its parser divides the digits by a power of ten, which may miss the
/// nearest double by a bit, and that bit decides between sums that would be equal. The digits are the
/// shortest that mean `nearest`: those that files are written with.
double as_reference_reads(double nearest) {
  char text[40];
  const auto end =
      std::to_chars(text, text + sizeof text, std::abs(nearest), std::chars_format::scientific).ptr;
  const std::string_view all(text, static_cast<std::size_t>(end - text));
  const std::size_t e = all.find('e');
  std::uint64_t digits = 0;
  int exponent = 0;
  std::from_chars(text + e + 1 + (text[e + 1] == '+'), end, exponent);
  for (const char c : all.substr(0, e)) {
    if (c == '.') continue;
    digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
  }
  exponent -= e > 1 ? static_cast<int>(e) - 2 : 0;
  // Powers of ten up to 10^22 are doubles; scores have no need of more.
  if (exponent > 0 || exponent < -22) return nearest;
  double power = 1;
  for (int i = 0; i > exponent; --i) power *= 10;
  return std::copysign(static_cast<double>(digits) / power, nearest);
}

/// A pair like ["token", -3.5].
void read_entry(const JsonNode& vocabulary, std::size_t index, simdjson::dom::element element, Unigram& out) {
  simdjson::dom::array pair;
  std::string_view token;
  double score = 0;
  const bool fits = element.get_array().get(pair) == simdjson::SUCCESS && pair.size() == 2 &&
                    pair.at(0).get_string().get(token) == simdjson::SUCCESS &&
                    pair.at(1).get_double().get(score) == simdjson::SUCCESS;
  if (!fits) vocabulary.element_at(index, element).fail("a token and its score");
  out.vocabulary.add(token, static_cast<std::int32_t>(index));
  out.scores.push_back(as_reference_reads(score));
}

void read_scores(const JsonNode& node, Unigram& out) {
  simdjson::dom::array entries;
  if (node.element().get_array().get(entries) != simdjson::SUCCESS) node.fail("an array");
  out.vocabulary.reserve(entries.size(), entries.size() * 8);
  out.scores.reserve(entries.size());
  for (const simdjson::dom::element element : entries) read_entry(node, out.scores.size(), element, out);
  if (!out.vocabulary.freeze())
    node.fail("tokens that share their starts in at most 8 million trie nodes", "more");
  if (out.vocabulary.size() != out.scores.size()) node.fail("different tokens", "one that is there twice");
  if (out.vocabulary.longest_token() > kLongestToken) {
    node.fail("tokens of at most " + std::to_string(kLongestToken) + " bytes",
              std::to_string(out.vocabulary.longest_token()));
  }
  double least = std::numeric_limits<double>::infinity();
  for (const double score : out.scores) least = std::min(least, score);
  out.unknown_score = least - kUnknownPenalty;
}

}  // namespace

void Unigram::tokenize(std::string_view word, UnigramScratch& scratch, std::vector<ModelToken>& out) const {
  const bool small = word.size() <= WordCache::kLongest;
  const WordCache::Key key = small ? WordCache::key(word) : WordCache::Key{};
  if (small && cache.find(key, out)) return;
  const std::size_t before = out.size();
  Viterbi(*this, word, scratch).run();
  PathReader(*this, word, scratch, out).run();
  if (small) cache.keep(key, {out.data() + before, out.size() - before});
}

Unigram read_unigram(const JsonNode& node) {
  Unigram out;
  const JsonNode vocabulary = node.field("vocab");
  read_scores(vocabulary, out);
  const auto unknown = node.optional_field("unk_id");
  if (unknown && !unknown->is_null()) {
    out.unknown_id = unknown->id();
    if (static_cast<std::size_t>(out.unknown_id) >= out.scores.size())
      unknown->fail("an id below " + std::to_string(out.scores.size()));
  }
  const auto fallback = node.optional_field("byte_fallback");
  out.byte_fallback = fallback && fallback->boolean();
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string token = std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>';
    out.byte_ids[byte] = out.vocabulary.id(token).value_or(-1);
  }
  return out;
}

}  // namespace nybble::tokenizer
