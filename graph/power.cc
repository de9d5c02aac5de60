#include "graph/power.h"

#include <cmath>

namespace nybble::graph {
namespace {

// ln 2 in two parts: k times the first is exact for |k| < 2^20.
constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b39p-40;

/// e^x = 2^k·e^r, |r| ≤ ½ ln 2, by the Taylor series to r^17 / 17!.
double exponential(double x) {
  const double k = std::floor(x / kLn2High + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int n = 17; n >= 1; --n) sum = sum * r / n + 1;
  return std::ldexp(sum, static_cast<int>(k));
}

}  // namespace

double logarithm(double x) {
  // k·ln 2 + 2·artanh((m - 1) / (m + 1)), x = m·2^k with m in [√½, √2): 14 terms, the next is below 2^-70.
  int k = 0;
  double m = std::frexp(x, &k);
  if (m < 0x1.6a09e667f3bcdp-1) m *= 2, --k;
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double sum = 0;
  for (int n = 27; n >= 1; n -= 2) sum = sum * s2 + 1.0 / n;
  return k * kLn2High + (2 * s * sum + k * kLn2Low);
}

double power(double base, double exponent) { return exponential(exponent * logarithm(base)); }

}  // namespace nybble::graph
