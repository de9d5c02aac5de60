// What a model makes of a word.
#pragma once

#include <cstdint>

namespace nybble::tokenizer {

/// A token and the bytes of the word that it stands for.
struct ModelToken {
  std::int32_t id;
  std::uint32_t begin, end;
};

}  // namespace nybble::tokenizer
