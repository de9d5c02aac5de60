// nybble profile.
#pragma once

namespace CLI {
class App;
}

namespace nybble::bench {

/// Adds `profile`. The callback throws as those of cli/commands.h do.
void add_profile(CLI::App& app);

}  // namespace nybble::bench
