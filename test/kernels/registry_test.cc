#include "kernels/registry.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "nybble/error.h"

namespace nybble::kernels {
namespace {

std::string error_of(void (*call)()) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::bad_input);
    return error.what();
  }
  return "";
}

/// Sets NYBBLE_ISA while alive.
struct ForcedIsa {
  explicit ForcedIsa(const char* name) { setenv("NYBBLE_ISA", name, 1); }
  ~ForcedIsa() { unsetenv("NYBBLE_ISA"); }
};

TEST_CASE("the last registered set is scalar and always runs") {
  REQUIRE_FALSE(registered_sets().empty());
  CHECK(registered_sets().back().set->name == std::string("scalar"));
  CHECK(registered_sets().back().runnable);
}

TEST_CASE("the best set is the first runnable one, and the default") {
  unsetenv("NYBBLE_ISA");
  const KernelSet* first = nullptr;
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.runnable && first == nullptr) first = entry.set;
  }
  CHECK(&best_set() == first);
  CHECK(&default_set() == first);
}

TEST_CASE("each runnable set is found by its name and forced by NYBBLE_ISA") {
  for (const RegisteredSet& entry : registered_sets()) {
    if (!entry.runnable) continue;
    CHECK(&find_set(entry.set->name) == entry.set);
    const ForcedIsa forced(entry.set->name);
    CHECK(&default_set() == entry.set);
  }
}

TEST_CASE("an unknown name is an error that lists the runnable sets") {
  const std::string sentence = error_of([] { find_set("mmx"); });
  CHECK(sentence.find("'mmx'") != std::string::npos);
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.runnable) CHECK(sentence.find(entry.set->name) != std::string::npos);
  }
  const ForcedIsa forced("mmx");
  CHECK(error_of([] { default_set(); }).find("NYBBLE_ISA") == 0);
}

TEST_CASE("a set that this CPU cannot run is an error that says what it needs") {
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.runnable) continue;
    try {
      find_set(entry.set->name);
      FAIL("no error for " << entry.set->name);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(entry.needs) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace nybble::kernels
