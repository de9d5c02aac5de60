// BertProcessing: [CLS] A [SEP], and [CLS] A [SEP] B [SEP] with type 1 from B on.
#include "tokenizer/post_processor.h"

namespace nybble::tokenizer {
namespace {

/// A pair like ["[SEP]", 102].
std::int32_t read_token(const JsonNode& node) {
  const auto elements = node.elements();
  if (elements.size() != 2) node.fail("a token and its id", std::to_string(elements.size()) + " values");
  elements[0].text();
  return elements[1].id();
}

}  // namespace

PostProcessor read_bert_processing(const JsonNode& node) {
  using Kind = TemplatePiece::Kind;
  const std::int32_t sep = read_token(node.field("sep"));
  const std::int32_t cls = read_token(node.field("cls"));
  PostProcessor out;
  out.single = {{Kind::special, 0, {cls}}, {Kind::first_text, 0, {}}, {Kind::special, 0, {sep}}};
  out.pair = out.single;
  out.pair.push_back({Kind::second_text, 1, {}});
  out.pair.push_back({Kind::special, 1, {sep}});
  return out;
}

}  // namespace nybble::tokenizer
