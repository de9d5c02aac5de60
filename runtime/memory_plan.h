// Lifetimes to offsets in one block.
#pragma once

#include <cstddef>
#include <span>

namespace nybble::runtime {

/// A buffer that lives from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  ///< set by place_buffers(), a multiple of 64
};

/// Gives each buffer an offset such that no two that live at the same step overlap, first fit in order of
/// size. Returns the bytes of the whole block.
std::size_t place_buffers(std::span<Lifetime> buffers);

}  // namespace nybble::runtime
