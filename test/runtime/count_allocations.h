// Counts the allocations of a program that links count_allocations.cc, which takes malloc's place (and
// mmap's, for allocators that do without malloc). Not for builds with a sanitizer, which takes the same
// place.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nybble::test {

struct Allocations {
  std::size_t count = 0;
  std::vector<std::string> callers;  ///< the first few, as `file+offset`, for a failure's message
};

/// From here on, allocations of all threads count, but those that a library whose file name contains
/// `exempt_library` makes for itself; null: none is exempt.
void start_counting(const char* exempt_library);
Allocations stop_counting();

}  // namespace nybble::test
