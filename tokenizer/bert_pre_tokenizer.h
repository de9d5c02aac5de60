// BertPreTokenizer: words end at white space, which is dropped; each punctuation mark is a word.
#pragma once

#include "tokenizer/pre_tokenized.h"

namespace nybble::tokenizer {

struct BertPreTokenizer {};

void pre_tokenize(const BertPreTokenizer&, PreTokenized& text);

}  // namespace nybble::tokenizer
