#include "bench/pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace nybble::bench {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

Pages::Pages(std::size_t bytes) : bytes_(bytes) {
  const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage, mapped = whole + kHugePage;
  void* data = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  const std::size_t skipped = kHugePage - reinterpret_cast<std::uintptr_t>(data) % kHugePage;
  auto* first = static_cast<std::byte*>(data) + skipped;
  ::madvise(first, whole, MADV_HUGEPAGE);  // a wish: without it the figures are those of small pages
  data_ = {first, Unmap{static_cast<std::byte*>(data), mapped}};
}

void Unmap::operator()(std::byte*) const noexcept { ::munmap(map, bytes); }

}  // namespace nybble::bench
