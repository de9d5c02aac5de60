// Texts such as "[a,b]" on the command line.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace nybble::cli {

/// The arguments after the program's name, last first, as CLI11 wants them. Where several texts may stand,
/// which is in `nybble similarity` alone, it takes "[a,b]" for a list of two; a zero byte at the end, which
/// no argument can have, keeps it whole until as_given().
inline std::vector<std::string> reversed_arguments(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const bool are_texts = !arguments.empty() && arguments[0] == "similarity";
  for (std::string& argument : arguments) {
    if (!are_texts) break;
    if (argument.starts_with('[') && argument.ends_with(']')) argument += '\0';
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

/// A text or value of `nybble similarity` as it was given.
inline std::string as_given(std::string argument) {
  if (argument.ends_with('\0')) argument.pop_back();
  return argument;
}

}  // namespace nybble::cli
