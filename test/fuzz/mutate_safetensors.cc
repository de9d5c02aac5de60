// Mutates the JSON header of a safetensors file and writes its length anew, so that most inputs get past it.
#include <cstring>

#include "test/fuzz/json_mutator.h"

namespace {

using namespace nybble;

constexpr std::size_t kLengthBytes = 8;

/// The bytes of the header, or 0 where the file is shorter than it says.
std::size_t header_bytes(std::string_view file) {
  std::uint64_t length = 0;
  if (file.size() < kLengthBytes) return 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  return length <= file.size() - kLengthBytes ? static_cast<std::size_t>(length) : 0;
}

std::string with_length(const std::string& header, std::string_view values) {
  const std::uint64_t length = header.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  return file.append(header).append(values);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::minstd_rand random(seed);
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const std::size_t header = header_bytes(file);
  if (header == 0 || random() % 4 == 0) return fuzz::give(fuzz::mutate_bytes(file, max_size), data, max_size);
  const std::size_t room = max_size - (size - header);
  const std::string changed = fuzz::mutate_json(file.substr(kLengthBytes, header), room, random);
  const std::string result = with_length(changed, file.substr(kLengthBytes + header));
  return fuzz::give(result, data, max_size);
}
