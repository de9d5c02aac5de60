// Mutates a text by code points that tokenizers treat apart, and by what long inputs are made of: repetition.
#include <algorithm>
#include <array>

#include "test/fuzz/json_mutator.h"

namespace {

using namespace nybble;

constexpr std::array<const char*, 28> kPieces = {
    " ",          "\u00a0",     "\u3000", "\t",     "\r\n",   "\u200d",  "\ufeff",
    "\u0301",     "\u0345",     "\u0130", "\u00df", "\ufb03", "\u1e9e",  "\u00c5",
    "\u4e2d",     "\uac01",     "\u0e33", "\u0915", "\u094d", "\u0627",  "\u2581",
    "\U0001f600", "\U0001f3fd", "##",     "'s",     "[MASK]", "1234567", "\xed\xa0\x80"};

constexpr std::size_t kOptions = 2;  // the bytes before the text, which choose what is done with it

std::string insert_piece(std::string text, std::minstd_rand& random) {
  const std::size_t at = kOptions + random() % (text.size() - kOptions + 1);
  return text.insert(at, kPieces[random() % kPieces.size()]);
}

std::string repeat_slice(const std::string& text, std::size_t max_size, std::minstd_rand& random) {
  const std::size_t from = kOptions + random() % (text.size() - kOptions);
  const std::string slice = text.substr(from, 1 + random() % 16);
  std::string result = text;
  for (std::size_t left = 1 + random() % 64; left > 0 && result.size() + slice.size() <= max_size; --left)
    result.insert(from, slice);
  return result;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::minstd_rand random(seed);
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (size <= kOptions || size + 16 > max_size || random() % 2 == 0)
    return fuzz::give(fuzz::mutate_bytes(text, max_size), data, max_size);
  const std::string result =
      random() % 3 == 0 ? repeat_slice(text, max_size, random) : insert_piece(text, random);
  return fuzz::give(result, data, max_size);
}
