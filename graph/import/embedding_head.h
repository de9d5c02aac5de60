// From an encoder's rows to an embedding: modules on tokens, pools, modules on pooled rows.
#pragma once

#include <string_view>

#include "graph/import/encoder_builder.h"

namespace nybble::graph {

/// The IR's name of a pool mode.
std::string_view pool_mode_name(PoolMode mode);

/// What `target` wants of the last layer's rows `x`.
ValueId embedding_head(EncoderBuilder& build, const ImportTarget& target, ValueId x);

}  // namespace nybble::graph
