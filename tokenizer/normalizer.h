// The normalizer of a tokenizer.json: parts that run one after the other.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/bert_normalizer.h"
#include "tokenizer/precompiled.h"
#include "tokenizer/replace.h"
#include "tokenizer/simple_normalizers.h"
#include "tokenizer/unicode_forms.h"

namespace nybble::tokenizer {

using NormalizerPart = std::variant<BertNormalizer, UnicodeForm, Lowercase, StripAccents, Strip, Replace,
                                    Prepend, Precompiled, Nmt, ByteLevelNormalizer>;

/// Immutable once read. Without parts the text stays as it is.
using Normalizer = std::vector<NormalizerPart>;

/// The member `normalizer` of the whole file. Sequences inside of sequences are flattened.
Normalizer read_normalizer(const JsonNode& root);

AlignedText normalize(const Normalizer& normalizer, AlignedText input);

}  // namespace nybble::tokenizer
