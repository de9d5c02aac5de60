// Stand-alone until `nybble bench` is there.
#include <cstdio>

#include "bench/model_command.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  CLI::App app("bench");
  nybble::bench::add_model(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
