// What the other headers need.
#pragma once

/// Marks what the library gives to those who link it.
#define NYBBLE_API __attribute__((visibility("default")))
