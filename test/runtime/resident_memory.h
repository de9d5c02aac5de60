// What /proc says of this process's memory.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

namespace nybble::test {

/// A field of /proc/self/status in bytes: "RssAnon", what is resident and of no file; "VmHWM", the most that
/// was ever resident, of files or not.
inline std::size_t memory_status(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stoull(line.substr(field.size() + 1)) * 1024;
  }
  throw std::runtime_error("/proc/self/status has no " + field);
}

}  // namespace nybble::test
