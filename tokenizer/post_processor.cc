#include "tokenizer/post_processor.h"

#include "tokenizer/kinds.h"

namespace nybble::tokenizer {
namespace {

/// A post-processor of the file, and whether it decides what is put around.
struct Part {
  PostProcessor processor;
  bool surrounds;
};

template <PostProcessor (*read)(const JsonNode&)>
Part surrounding(const JsonNode& node) {
  return {read(node), true};
}

constexpr Kind<Part> kKinds[] = {
    {"TemplateProcessing", surrounding<read_template_processing>},
    {"BertProcessing", surrounding<read_bert_processing>},
    {"RobertaProcessing", surrounding<read_roberta_processing>},
    {"ByteLevel",
     [](const JsonNode& node) -> Part {
       return {read_byte_level_processing(node), false};
     }},
};

}  // namespace

std::size_t special_tokens(const Template& pieces) {
  std::size_t count = 0;
  for (const TemplatePiece& piece : pieces) count += piece.ids.size();
  return count;
}

PostProcessor no_post_processor() {
  using Kind = TemplatePiece::Kind;
  return {{{Kind::first_text, 0, {}}}, {{Kind::first_text, 0, {}}, {Kind::second_text, 1, {}}}, {}};
}

/// Trimming looks at one token at a time, so that it may come before or after what is put around.
PostProcessor read_post_processor(const JsonNode& root) {
  PostProcessor out = no_post_processor();
  bool surrounded = false;
  for (Part& part : read_optional_parts<Part>(root, "post_processor", "processors", kKinds)) {
    if (part.surrounds && surrounded) {
      root.field("post_processor").fail("one processor that adds tokens", "two");
    }
    out.trims.insert(out.trims.end(), part.processor.trims.begin(), part.processor.trims.end());
    if (!part.surrounds) continue;
    surrounded = true;
    out.single = std::move(part.processor.single);
    out.pair = std::move(part.processor.pair);
  }
  return out;
}

}  // namespace nybble::tokenizer
