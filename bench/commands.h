// The subcommand of `nybble` that measures.
#pragma once

namespace CLI {
class App;
}

namespace nybble::bench {

/// Adds `bench kernels` and `bench model`, with help and a callback that does the work. The callback throws
/// as those of cli/commands.h do.
void add_bench(CLI::App& app);

}  // namespace nybble::bench
