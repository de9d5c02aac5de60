// The tokens of one text, before anything is cut or put around.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pipeline.h"

namespace nybble::tokenizer {

struct TextTokens {
  std::vector<std::int32_t> ids;
  std::vector<Span> offsets;
  std::vector<std::int32_t> word_ids;
  /// Texts of tokens that differ from what the tokenizer calls their id, by index, ascending.
  std::vector<std::pair<std::uint32_t, std::string>> spelled;
};

/// Runs the parts one after the other over the whole text and keeps track of where everything came from.
/// `bare`: gives ids alone, the same ones.
TextTokens encode_text(const Pipeline& parts, std::string_view text, bool bare);

}  // namespace nybble::tokenizer
