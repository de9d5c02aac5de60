#include "tokenizer/post_processor.h"

namespace nybble::tokenizer {

std::size_t special_tokens(const Template& pieces) {
  std::size_t count = 0;
  for (const TemplatePiece& piece : pieces) count += piece.ids.size();
  return count;
}

PostProcessor no_post_processor() {
  using Kind = TemplatePiece::Kind;
  return {{{Kind::first_text, 0, {}}}, {{Kind::first_text, 0, {}}, {Kind::second_text, 1, {}}}};
}

}  // namespace nybble::tokenizer
