// Failures of the operating system as sentences.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "nybble/error.h"

namespace nybble::cli {

/// Throws nybble::Error{io}: "FILE: DOING: what errno says".
[[noreturn]] inline void throw_errno(const std::string& file, const char* doing) {
  throw Error(ErrorCode::io, file + ": " + doing + ": " + std::strerror(errno));
}

}  // namespace nybble::cli
