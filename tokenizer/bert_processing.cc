// BertProcessing: [CLS] A [SEP], and [CLS] A [SEP] B [SEP] with type 1 from B on. RobertaProcessing: <s> A
// </s>, and <s> A </s> </s> B </s>, all of type 0. ByteLevel: nothing around.
#include "tokenizer/post_processor.h"

namespace nybble::tokenizer {
namespace {

using Kind = TemplatePiece::Kind;

/// A pair like ["[SEP]", 102].
std::int32_t read_token(const JsonNode& node) {
  const auto elements = node.elements();
  if (elements.size() != 2) node.fail("a token and its id", std::to_string(elements.size()) + " values");
  elements[0].text();
  return elements[1].id();
}

std::vector<OffsetTrim> read_trims(const JsonNode& node) {
  const bool keep_prefix_space = node.field("add_prefix_space").boolean();
  if (!node.field("trim_offsets").boolean()) return {};
  return {{keep_prefix_space}};
}

PostProcessor surrounded(std::int32_t cls, std::int32_t sep) {
  PostProcessor out;
  out.single = {{Kind::special, 0, {cls}}, {Kind::first_text, 0, {}}, {Kind::special, 0, {sep}}};
  out.pair = out.single;
  return out;
}

}  // namespace

PostProcessor read_bert_processing(const JsonNode& node) {
  const std::int32_t sep = read_token(node.field("sep"));
  PostProcessor out = surrounded(read_token(node.field("cls")), sep);
  out.pair.push_back({Kind::second_text, 1, {}});
  out.pair.push_back({Kind::special, 1, {sep}});
  return out;
}

PostProcessor read_roberta_processing(const JsonNode& node) {
  const std::int32_t sep = read_token(node.field("sep"));
  PostProcessor out = surrounded(read_token(node.field("cls")), sep);
  out.pair.push_back({Kind::special, 0, {sep}});
  out.pair.push_back({Kind::second_text, 0, {}});
  out.pair.push_back({Kind::special, 0, {sep}});
  out.trims = read_trims(node);
  return out;
}

PostProcessor read_byte_level_processing(const JsonNode& node) {
  PostProcessor out = no_post_processor();
  out.trims = read_trims(node);
  return out;
}

}  // namespace nybble::tokenizer
