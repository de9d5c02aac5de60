// nybble bench model.
#pragma once

namespace CLI {
class App;
}

namespace nybble::bench {

/// Adds `model` to `nybble bench`. The callback throws as those of cli/commands.h do.
void add_model(CLI::App& bench);

}  // namespace nybble::bench
