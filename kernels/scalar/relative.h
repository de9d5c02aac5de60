// The gather of products by relative position, literally.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

inline void gather_relative(const RelativeArgs& args) noexcept {
  for (std::ptrdiff_t i = 0; i < args.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < args.keys; ++j) {
      const float value = args.by_key ? args.products[j * args.ld + args.columns[i - j]]
                                      : args.products[i * args.ld + args.columns[j - i]];
      float& out = args.out[i * args.ldo + j];
      out = canonical(args.add ? out + value : value);
    }
  }
}

}  // namespace nybble::kernels::scalar
