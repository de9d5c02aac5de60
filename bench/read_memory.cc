#include "bench/read_memory.h"

namespace nybble::bench {
namespace {

constexpr std::size_t kStep = 256;  // bytes that a stream advances at a time

// Loads whose results nothing waits for.
void load_zmm(const std::byte* from) {
  asm volatile(
      "vmovdqa64 (%0), %%zmm0\nvmovdqa64 64(%0), %%zmm1\nvmovdqa64 128(%0), %%zmm2\nvmovdqa64 192(%0), "
      "%%zmm3" ::"r"(from)
      : "xmm0", "xmm1", "xmm2", "xmm3");
}
void load_ymm(const std::byte* from) {
  asm volatile(".irp at,0,32,64,96,128,160,192,224\nvmovdqa \\at(%0), %%ymm0\n.endr" ::"r"(from) : "xmm0");
}
void load_xmm(const std::byte* from) {
  asm volatile(
      ".irp at,0,16,32,48,64,80,96,112,128,144,160,176,192,208,224,240\nmovdqa \\at(%0), %%xmm0\n.endr" ::"r"(
          from)
      : "xmm0");
}

template <void (*kLoad)(const std::byte*)>
void read(std::span<const std::byte> data, int streams) {
  const std::size_t part = data.size() / static_cast<std::size_t>(streams) / kStep * kStep;
  const std::byte* first = data.data();
  for (std::size_t at = 0; at < part; at += kStep) {
    for (int stream = 0; stream < streams; ++stream)
      kLoad(first + static_cast<std::size_t>(stream) * part + at);
  }
}

}  // namespace

void read_memory(std::string_view isa, std::span<const std::byte> data, int streams) {
  if (isa == "avx512" || isa == "avx512vnni" || isa == "amx") {
    read<load_zmm>(data, streams);
  } else if (isa == "avx2" || isa == "avxvnni") {
    read<load_ymm>(data, streams);
  } else {
    return read<load_xmm>(data, streams);
  }
  asm volatile("vzeroupper" ::: "xmm0", "xmm1", "xmm2", "xmm3");
}

}  // namespace nybble::bench
