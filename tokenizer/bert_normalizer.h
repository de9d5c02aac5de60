// BertNormalizer: clean_text, handle_chinese_chars, strip_accents, lowercase, in this order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {

struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;  ///< null in the file: the same as lowercase
  bool lowercase = true;
};

BertNormalizer read_bert_normalizer(const JsonNode& node);

AlignedText normalize(const BertNormalizer& options, AlignedText input);

/// The normalizer as a stream: code points in, `sink.put(code point, origin)` out. Marks wait until the next
/// starter shows that their canonical order is final.
template <class Sink>
class BertNormalizerStream {
 public:
  BertNormalizerStream(const BertNormalizer& options, Sink& sink) : options_(options), sink_(sink) {}

  void feed(char32_t c, Span origin) {
    const std::uint16_t flags = unicode::properties(c).flags;
    if (options_.clean_text) {
      if ((flags & unicode::kDropped) != 0) return;
      if ((flags & unicode::kBlanked) != 0) c = ' ';
    }
    if (!options_.handle_chinese_chars || (flags & unicode::kIdeograph) == 0) return decompose(c, origin);
    decompose(' ', origin);
    decompose(c, origin);
    decompose(' ', origin);
  }

  /// Nothing waits: the next code point may as well start a new stream.
  bool idle() const { return waiting_.empty(); }
  void finish() { release(); }

 private:
  /// A mark with its combining class. `leads`: it opens the decomposition of a code point.
  struct Mark {
    std::uint8_t combining_class;
    bool leads;
    char32_t value;
  };

  void decompose(char32_t c, Span origin) {
    if (!options_.strip_accents) return lower(c, origin);
    const unicode::Properties& p = unicode::properties(c);
    if (unicode::is_hangul_syllable(c)) {
      char32_t parts[3];
      const std::size_t count = unicode::hangul_parts(c, parts);
      for (std::size_t i = 0; i < count; ++i) order(parts[i], 0, i == 0, origin);
    } else if (p.decomposition_size == 0) {
      order(c, p.combining_class, true, origin);
    } else {
      for (std::size_t i = 0; i < p.decomposition_size; ++i) {
        const char32_t part = unicode::kDecompositions[p.decomposition + i];
        order(part, unicode::properties(part).combining_class, i == 0, origin);
      }
    }
  }

  void order(char32_t c, std::uint8_t combining_class, bool leads, Span origin) {
    if (combining_class == 0) {
      release();
      origin_ = origin;
      return strip(c);
    }
    sorted_ = waiting_.empty() || (sorted_ && waiting_.back().combining_class <= combining_class);
    waiting_.push_back({combining_class, leads, c});
    if (leads) origins_.push_back(origin);
  }

  /// The reference gives the n-th leading code point, after sorting, the origin of the n-th that came in:
  /// sorting moves the marks but not the places that they stand for.
  void release() {
    if (waiting_.empty()) return;
    if (!sorted_) {
      std::stable_sort(waiting_.begin(), waiting_.end(),
                       [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
    }
    std::size_t next = 0;
    for (const Mark& mark : waiting_) {
      if (mark.leads) origin_ = origins_[next++];
      strip(mark.value);
    }
    waiting_.clear();
    origins_.clear();
  }

  void strip(char32_t c) {
    if (!unicode::has(c, unicode::kNonspacing)) lower(c, origin_);
  }

  void lower(char32_t c, Span origin) {
    if (!options_.lowercase) return sink_.put(c, origin);
    const unicode::Properties& p = unicode::properties(c);
    sink_.put(static_cast<char32_t>(static_cast<std::int32_t>(c) + p.lower_delta), origin);
    if (p.lower_second != 0) sink_.put(p.lower_second, origin);
  }

  BertNormalizer options_;
  Sink& sink_;
  std::vector<Mark> waiting_;
  std::vector<Span> origins_;  ///< of the marks in waiting_ that lead, as they came
  Span origin_;                ///< of the last leading code point that went on
  bool sorted_ = true;         ///< waiting_ is in order
};

}  // namespace nybble::tokenizer
