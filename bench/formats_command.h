// nybble bench formats.
#pragma once

namespace CLI {
class App;
}

namespace nybble::bench {

/// Adds `formats` to `nybble bench`. The callback throws as those of cli/commands.h do.
void add_formats(CLI::App& bench);

}  // namespace nybble::bench
