// A function of single floats, for rows of which few values count.
#pragma once

namespace nybble::kernels {

/// log(1 + max(x, 0)) to 2 ulp, the same bits everywhere; NaN is 0x7FC00000. Compiled once, for no
/// instruction set in particular: what is not positive costs a comparison.
float log1p_relu(float x) noexcept;

}  // namespace nybble::kernels
