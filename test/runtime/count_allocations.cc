#include "count_allocations.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

// glibc's own, under names that its malloc family does not hide.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> counted{0};
std::atomic<const char*> exempt{nullptr};
std::array<std::atomic<void*>, 8> first_callers{};

const char* file_of(void* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

void count_from(void* caller) {
  const char* library = exempt.load();
  if (library && std::strstr(file_of(caller), library)) return;
  const std::size_t index = counted.fetch_add(1);
  if (index < first_callers.size()) first_callers[index] = caller;
}

/// Counts a call of the function that this is part of.
[[gnu::always_inline]] inline void count() {
  if (counting.load(std::memory_order_relaxed)) count_from(__builtin_return_address(0));
}

void* allocated(void* memory) {
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

extern "C" {
void* malloc(std::size_t bytes) { return count(), __libc_malloc(bytes); }
void* calloc(std::size_t n, std::size_t bytes) { return count(), __libc_calloc(n, bytes); }
void* realloc(void* memory, std::size_t bytes) { return count(), __libc_realloc(memory, bytes); }
void* memalign(std::size_t alignment, std::size_t bytes) {
  return count(), __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return count(), __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  count();
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
void* mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  if (flags & MAP_ANONYMOUS) count();
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}

// Else the caller of malloc would always be the C++ library.
void* operator new(std::size_t bytes) { return count(), allocated(__libc_malloc(bytes)); }
void* operator new[](std::size_t bytes) { return count(), allocated(__libc_malloc(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return count(), allocated(__libc_memalign(static_cast<std::size_t>(alignment), bytes));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return count(), allocated(__libc_memalign(static_cast<std::size_t>(alignment), bytes));
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, std::size_t) noexcept { free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { free(memory); }

namespace nybble::test {

void start_counting(const char* exempt_library) {
  exempt = exempt_library;
  counted = 0;
  counting = true;
}

Allocations stop_counting() {
  counting = false;
  Allocations found;
  found.count = counted;
  for (std::size_t i = 0; i < std::min(found.count, first_callers.size()); ++i) {
    void* caller = first_callers[i];
    Dl_info info{};
    dladdr(caller, &info);
    char text[32];
    std::snprintf(text, sizeof text, "+0x%zx",
                  static_cast<std::size_t>(static_cast<char*>(caller) - static_cast<char*>(info.dli_fbase)));
    found.callers.push_back(file_of(caller) + std::string(text) +
                            (info.dli_sname ? std::string(" ") + info.dli_sname : ""));
  }
  return found;
}

}  // namespace nybble::test
