// Loops of loads and nothing else: the bandwidth that products which stream their weights are shares of.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace nybble::bench {

/// Reads every byte (but for less than 4 KiB at the end) with the widest loads of a set, in one stream or,
/// for prefetchers that follow more, in four that each take a quarter. The data is 64-byte aligned.
void read_memory(std::string_view isa, std::span<const std::byte> data, int streams);

}  // namespace nybble::bench
