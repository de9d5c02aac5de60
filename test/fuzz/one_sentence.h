// What every target checks of an error besides that it is one.
#pragma once

#include <cstdlib>
#include <string_view>

#include "include/nybble/error.h"

namespace nybble::fuzz {

/// Ends the process, so that the fuzzer keeps the input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs a parser on hostile input: an Error is an answer if it is one line of bounded length that begins with
/// the name of the file; any other exception is a defect and is not caught. Returns whether it threw.
template <typename Function>
bool fails_in_one_sentence(std::string_view file, Function&& function) {
  try {
    function();
    return false;
  } catch (const Error& error) {
    const std::string_view sentence = error.what();
    require(sentence.substr(0, file.size()) == file);
    require(sentence.find('\n') == std::string_view::npos && sentence.size() < 2000);
    return true;
  }
}

}  // namespace nybble::fuzz
