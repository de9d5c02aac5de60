// The pre-tokenizer of a tokenizer.json: parts that run one after the other.
#pragma once

#include <variant>
#include <vector>

#include "tokenizer/bert_pre_tokenizer.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/simple_pre_tokenizers.h"

namespace nybble::tokenizer {

using PreTokenizerPart =
    std::variant<BertPreTokenizer, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Punctuation, Digits,
                 UnicodeScripts, CharDelimiterSplit, FixedLength, Split>;

/// Immutable once read. Without parts the text is one word.
using PreTokenizer = std::vector<PreTokenizerPart>;

/// The member `pre_tokenizer` of the whole file. Sequences inside of sequences are flattened.
PreTokenizer read_pre_tokenizer(const JsonNode& root);

/// True if words depend on where they come from, not only on their text.
bool needs_origins(const PreTokenizer& pre_tokenizer);

void pre_tokenize(const PreTokenizer& pre_tokenizer, PreTokenized& text);

}  // namespace nybble::tokenizer
