// What one call of `nybble bench model` encodes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nybble/nybble.h"

namespace nybble::bench {

/// Sequences of ids laid end to end, as Model::encode_ids() takes them; or texts.
struct CallInput {
  std::vector<std::int32_t> ids, cu_seqlens = {0};
  std::vector<std::string> texts;  ///< if there are any, they are the input

  std::size_t rows() const { return texts.empty() ? cu_seqlens.size() - 1 : texts.size(); }
};

/// Random ids, always the same, for sequences of these lengths; of a vocabulary of that size.
CallInput random_ids(const std::vector<int>& lengths, std::size_t vocabulary);

/// A line of a stream of calls: lengths between commas or blanks; or a JSON array of arrays of ids; or one of
/// texts. `where` names the line in errors. Throws Error{bad_input} for a line that is none of these, and
/// for one without a sequence.
CallInput parse_call(const std::string& line, std::size_t vocabulary, const std::string& where);

/// A file of lengths between commas, blanks or ends of lines. "-": stdin.
CallInput read_lengths(const std::string& file, std::size_t vocabulary);
/// A file with a JSON array of ids a line.
CallInput read_ids(const std::string& file);
/// A file with a text a line.
CallInput read_texts(const std::string& file);

}  // namespace nybble::bench
