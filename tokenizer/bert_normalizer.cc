#include "tokenizer/bert_normalizer.h"

namespace nybble::tokenizer {
namespace {

struct AlignedSink {
  AlignedText out;
  bool tracked = true;
  void put(char32_t c, Span origin) {
    if (tracked) return out.append(c, origin);
    append_code_point(out.text, c);
  }
};

}  // namespace

BertNormalizer read_bert_normalizer(const JsonNode& node) {
  BertNormalizer out;
  out.clean_text = node.field("clean_text").boolean();
  out.handle_chinese_chars = node.field("handle_chinese_chars").boolean();
  out.lowercase = node.field("lowercase").boolean();
  const auto strip = node.optional_field("strip_accents");
  out.strip_accents = strip && !strip->is_null() ? strip->boolean() : out.lowercase;
  return out;
}

AlignedText normalize(const BertNormalizer& options, AlignedText input) {
  AlignedSink sink;
  sink.tracked = input.origins != AlignedText::Origins::none;
  sink.out.base = input.base;
  sink.out.origins = sink.tracked ? AlignedText::Origins::listed : AlignedText::Origins::none;
  sink.out.text.reserve(input.text.size());
  if (sink.tracked) sink.out.from.reserve(input.text.size());
  BertNormalizerStream<AlignedSink> stream(options, sink);
  for (std::size_t at = 0; at < input.text.size();) {
    const CodePoint c = read_code_point(input.text, at);
    stream.feed(c.value, sink.tracked ? input.origin(at, at + 1) : Span{});
    at += c.size;
  }
  stream.finish();
  return std::move(sink.out);
}

}  // namespace nybble::tokenizer
