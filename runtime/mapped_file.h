// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace nybble::runtime {

/// Owns the mapping; movable. The pages are the page cache's own (MAP_PRIVATE, never written). A file that
/// another process cuts while it is mapped ends this process with SIGBUS, as with every mapping.
class MappedFile {
 public:
  /// Throws Error{io}: missing, unreadable, not a regular file. An empty file gives empty bytes.
  explicit MappedFile(const std::filesystem::path& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  /// Gives the whole pages inside `part` back to the system; they are read again when touched. Parts that
  /// do not lie in this file are ignored. May be called from many threads, also while others read.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

/// Whether something has this name: of any kind, a link that leads nowhere too, or something that this
/// process may not look at (so that opening it tells the reason). Never throws.
bool is_present(const std::filesystem::path& file) noexcept;

}  // namespace nybble::runtime
