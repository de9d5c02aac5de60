// The sentence of the Error that a call throws.
#pragma once

#include <string>

#include "nybble/error.h"

namespace nybble::graph::test {

/// What `call` throws as an Error of that code; "" if it throws none, and the code's number if it has
/// another.
template <class Call>
std::string sentence_of(ErrorCode code, Call call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == code) return error.what();
    return "an error of code " + std::to_string(static_cast<int>(error.code())) + ": " + error.what();
  }
  return "";
}

}  // namespace nybble::graph::test
