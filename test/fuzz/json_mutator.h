// Mutations of JSON that leave it JSON, so that a fuzzer gets past the parser to what reads the values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace nybble::fuzz {

/// A JSON text with some values replaced, taken from elsewhere in it, left out, doubled or renamed; `text`
/// itself with a byte mutation where it is no JSON or for one of eight seeds, since the parser is under test,
/// too. Never longer than max_size. For use in LLVMFuzzerCustomMutator: calls libFuzzer's own mutations.
std::string mutate_json(std::string_view text, std::size_t max_size, std::minstd_rand& random);

/// `text` with one of its values replaced by one of `other`'s; `text` where one of them is no JSON.
std::string cross_json(std::string_view text, std::string_view other, std::size_t max_size,
                       std::minstd_rand& random);

/// libFuzzer's mutations of bytes, its dictionary included.
std::string mutate_bytes(std::string_view bytes, std::size_t max_size);

/// Copies a result to where libFuzzer wants it; the size.
std::size_t give(const std::string& result, std::uint8_t* data, std::size_t max_size);

}  // namespace nybble::fuzz
