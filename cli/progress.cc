#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/messages.h"

namespace nybble::cli {

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)),
      total_(total),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (drawn_) write_stderr("\r\x1b[K");
  drawn_ = false;
}

void Progress::update(std::uint64_t done, std::uint64_t count) {
  if (!is_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::string bar;
  if (total_ > 0) {
    constexpr std::uint64_t kWidth = 30;
    const std::uint64_t filled = std::min(kWidth, done * kWidth / total_);
    bar = fmt::format("[{}{}] {:3}% ", std::string(filled, '#'), std::string(kWidth - filled, '.'),
                      std::min<std::uint64_t>(100, done * 100 / total_));
  }
  write_stderr(
      fmt::format("\r\x1b[K{}{} {}, {:.0f}/s", bar, count, what_, static_cast<double>(count) / seconds));
}

}  // namespace nybble::cli
