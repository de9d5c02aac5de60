// Puts special tokens around the tokens of texts, window by window.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/post_processor.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/truncation.h"

namespace nybble::tokenizer {

/// A text, its tokens, and the windows that it is cut into: the first is kept.
struct AssembledText {
  std::string_view text;
  TextTokens tokens;
  std::vector<Window> windows;
};

/// The encoding of the first windows; the others, each with all of the other text's, are its overflow.
/// `tokenizer` names tokens, for trimming. A text that the template does not hold needs no windows.
Encoding assemble(const Tokenizer& tokenizer, const Template& pieces, const std::vector<OffsetTrim>& trims,
                  const AssembledText& first, const AssembledText& second);

}  // namespace nybble::tokenizer
