// A progress bar on stderr, if that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace nybble::cli {

class Progress {
 public:
  /// `total` in the unit of update()'s `done`; 0: not known, and only the count is shown.
  Progress(std::string what, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool is_shown() const { return is_terminal_; }
  /// Redraws at most ten times a second.
  void update(std::uint64_t done, std::uint64_t count);

  /// Takes the bar away.
  void clear();

 private:
  std::string what_;
  std::uint64_t total_;
  bool is_terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace nybble::cli
