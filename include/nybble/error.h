// The one exception type of Nybble. Header only; the single header that every layer may include.
#pragma once

#include <stdexcept>
#include <string>

namespace nybble {

/// What kind of failure an Error reports; a server maps each to a status of its protocol.
enum class ErrorCode {
  bad_input,          ///< a text, request, option or argument that cannot be used (HTTP 400)
  too_long,           ///< more tokens than the model has positions (HTTP 413)
  unsupported_model,  ///< a model folder that is damaged or needs what Nybble does not have
  io,                 ///< the operating system failed to open, read, write or map something
  busy,               ///< every workspace is in use and the caller asked not to wait (HTTP 429)
  cancelled,          ///< the caller's stop token was triggered
};

/// Thrown at the edges (load, parse, shape checks). what() is one sentence: file, tensor, line or field, what
/// was expected, what was found.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace nybble
