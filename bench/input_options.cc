#include "bench/input_options.h"

#include "cli/commands.h"

namespace nybble::bench {

void InputOptions::add(CLI::App& command) {
  command.add_option("--lengths", lengths, "one call on sequences of random ids: 16,128,…");
  command.add_option("--lengths-file", lengths_file, "the same, the lengths in a file; - is stdin");
  command.add_option("--ids-file", ids_file, "one call on these: a JSON array of ids a line");
  command.add_option("--texts-file", texts_file, "one call on these: a text a line");
}

int InputOptions::given() const {
  return !lengths.empty() + !lengths_file.empty() + !ids_file.empty() + !texts_file.empty();
}

CallInput InputOptions::read(std::size_t vocabulary) const {
  if (!lengths_file.empty()) return read_lengths(lengths_file, vocabulary);
  if (!ids_file.empty()) return read_ids(ids_file);
  if (!texts_file.empty()) return read_texts(texts_file);
  try {
    return parse_call(lengths, vocabulary, "--lengths");
  } catch (const Error& error) {
    throw cli::UsageError(error.what());
  }
}

}  // namespace nybble::bench
