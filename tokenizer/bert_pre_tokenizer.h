// BertPreTokenizer: words end at white space, which is dropped; each punctuation mark is a word.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"

namespace nybble::tokenizer {

struct BertPreTokenizer {};

/// Appends the words of bytes [within.start, within.stop) of `text`, as byte ranges of `text`.
void pre_tokenize(const BertPreTokenizer&, std::string_view text, Span within, std::vector<Span>& words);

}  // namespace nybble::tokenizer
