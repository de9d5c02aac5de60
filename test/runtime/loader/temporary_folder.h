// A folder that lives as long as a test, and the files in it.
#pragma once

#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

#include "include/nybble/error.h"

namespace nybble::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "nybble-loader-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file, with the folders above it.
  std::filesystem::path write(std::string_view name, std::string_view content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// Runs a check without root's right to read every file, where the test runs as root. The user stays the
/// same: another might not even reach the folder.
class WithoutRights {
 public:
  WithoutRights() {
    call(SYS_capget, saved_);
    Capabilities reduced;
    std::copy(std::begin(saved_), std::end(saved_), reduced);
    reduced[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    call(SYS_capset, reduced);
  }
  WithoutRights(const WithoutRights&) = delete;
  WithoutRights& operator=(const WithoutRights&) = delete;
  ~WithoutRights() { call(SYS_capset, saved_); }

 private:
  using Capabilities = __user_cap_data_struct[_LINUX_CAPABILITY_U32S_3];

  static void call(long number, Capabilities& capabilities) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    if (::syscall(number, &header, capabilities) != 0) std::abort();
  }

  Capabilities saved_;
};

struct Failure {
  ErrorCode code{};
  std::string sentence;  ///< "nothing was thrown" if so
};

template <typename Function>
Failure failure_of(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::busy, "nothing was thrown"};
}

/// The bytes of a safetensors file with this header.
inline std::string safetensors_bytes(std::string_view header, std::string_view values) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes.append(header).append(values);
}

}  // namespace nybble::test
