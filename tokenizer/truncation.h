// How texts of too many tokens are cut into windows.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace nybble::tokenizer {

struct Window {
  std::size_t start, stop;
};

/// How many tokens of a text, and of the second of a pair, fit into `room`. Throws Error{bad_input} where the
/// text to be cut is too short for that, or missing.
std::pair<std::size_t, std::size_t> kept_tokens(std::size_t first, std::optional<std::size_t> second,
                                                std::size_t room, Truncation::Strategy strategy);

/// The window that is kept of `tokens` tokens, and then those that go beyond, each of `keep` tokens and with
/// `stride` of the one before, unless `overflow` is off. Throws Error{bad_input} where the stride is not below the window.
std::vector<Window> windows(std::size_t tokens, std::size_t keep, const Truncation& truncation);

}  // namespace nybble::tokenizer
