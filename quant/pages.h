// Memory for what must not wait for small pages.
#pragma once

#include <cstddef>
#include <memory>

namespace nybble::quant {

struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* data) const noexcept;
};

/// Zero bytes at a boundary of 2 MiB, on huge pages where the system gives them. Memory is taken when it is
/// touched: 2 MiB at a time but for the end, of which less than half a huge page is taken in small ones.
/// Throws std::bad_alloc.
class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes);
  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte, Unmap> data_;
};

}  // namespace nybble::quant
