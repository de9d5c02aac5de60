// Powers and logarithms that are the same numbers on every machine: a C library takes other code on other
// CPUs, and two results that differ in their last bit can round to different floats.
#pragma once

namespace nybble::graph {

/// base^exponent for a normal base > 0, to 1e-14 of it where it is within 1e±12: additions, multiplications
/// and divisions in one order. It must be a normal double.
double power(double base, double exponent);

/// ln x for a normal x > 0, to 1e-15 of it or of 1, whichever is greater.
double logarithm(double x);

}  // namespace nybble::graph
