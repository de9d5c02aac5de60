// For targets whose input is a JSON file.
#include "test/fuzz/json_mutator.h"

namespace {

std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::minstd_rand random(seed);
  return nybble::fuzz::give(nybble::fuzz::mutate_json(text_of(data, size), max_size, random), data, max_size);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size,
                                                 const std::uint8_t* other, std::size_t other_size,
                                                 std::uint8_t* out, std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const std::string result =
      nybble::fuzz::cross_json(text_of(data, size), text_of(other, other_size), max_size, random);
  return nybble::fuzz::give(result, out, max_size);
}
