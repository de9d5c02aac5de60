#include "quant/pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace nybble::quant {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

Pages::Pages(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* map = ::mmap(nullptr, whole + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::bad_alloc();
  const std::size_t skipped = (kHugePage - reinterpret_cast<std::uintptr_t>(map) % kHugePage) % kHugePage;
  auto* first = static_cast<std::byte*>(map) + skipped;
  if (skipped > 0) ::munmap(map, skipped);
  if (skipped < kHugePage) ::munmap(first + whole, kHugePage - skipped);
  const std::size_t huge = (bytes + kHugePage / 2) / kHugePage * kHugePage;
  if (huge > 0) ::madvise(first, huge, MADV_HUGEPAGE);  // a wish: without it everything runs on small pages
  data_ = {first, Unmap{whole}};
}

void Unmap::operator()(std::byte* data) const noexcept { ::munmap(data, bytes); }

}  // namespace nybble::quant
