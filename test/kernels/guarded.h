// Memory with an unreadable page on either side, so that a kernel that reads or writes one byte too far dies.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <span>

namespace nybble::kernels::test {

/// Where Guarded places its values, until changed.
struct GuardedPlacement {
  static inline bool front = false;
};

/// `count` values of T, flush against the guard page behind them, or against the one before them when
/// GuardedPlacement::front is set. Fresh memory holds the byte 0xA5.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_ = (count * sizeof(T) + page - 1) / page * page;
    size_ = inner_ + 2 * page;
    void* map = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<std::byte*>(map);
    if (inner_ > 0) mprotect(map_ + page, inner_, PROT_READ | PROT_WRITE);
    std::memset(map_ + page, 0xA5, inner_);
    first_ = map_ + page;
    data_ = reinterpret_cast<T*>(GuardedPlacement::front ? first_ : first_ + inner_ - count * sizeof(T));
  }
  ~Guarded() { munmap(map_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  /// From here on a write is a fault.
  void make_read_only() { mprotect(first_, inner_, PROT_READ); }
  void copy_from(const Guarded& other) { std::memcpy(first_, other.first_, inner_); }
  /// Everything writable: the values and what stands beside them in their pages.
  std::span<const std::byte> bytes() const { return {first_, inner_}; }

 private:
  std::size_t count_, inner_, size_;
  std::byte *map_, *first_;
  T* data_;
};

}  // namespace nybble::kernels::test
