// A safetensors file of any bytes is read, with views that tile its end, or refused in one sentence.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/safetensors.h"
#include "test/fuzz/one_sentence.h"

namespace {

using namespace nybble;

std::size_t read_all(const runtime::TensorViews& tensors, std::span<const std::byte> file) {
  std::size_t bytes = 0;
  for (const auto& [name, view] : tensors) {
    fuzz::require(view.data.empty() || view.data.data() >= file.data());
    fuzz::require(view.data.empty() || view.data.data() + view.data.size() <= file.data() + file.size());
    bytes += view.data.size();
    std::vector<float> values(view.elements());
    const bool refused = fuzz::fails_in_one_sentence("x", [&, &v = view] { runtime::read_f32(v, values); });
    fuzz::require(refused != runtime::is_readable_float(view.dtype));
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  fuzz::fails_in_one_sentence("x", [&] {
    const auto tensors = runtime::parse_safetensors(file, "x");
    fuzz::require(read_all(tensors, file) <= size - 8);
  });
  return 0;
}
