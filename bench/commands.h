// The subcommands of `nybble` that measure.
#pragma once

namespace CLI {
class App;
}

namespace nybble::bench {

/// Adds `profile`, `bench kernels` and `bench model`, with help and callbacks that do the work. The callbacks
/// throw as those of cli/commands.h do.
void add_bench(CLI::App& app);

}  // namespace nybble::bench
