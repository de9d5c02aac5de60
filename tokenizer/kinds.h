// Choosing the reader of a part by the `type` that the file gives.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tokenizer/json_reader.h"

namespace nybble::tokenizer {

/// A kind of part: the `type` that names it in the file, and its reader.
template <class Part>
struct Kind {
  std::string_view type;
  Part (*read)(const JsonNode&);
};

template <class Part>
std::string types_of(std::span<const Kind<Part>> kinds) {
  std::string out;
  for (const auto& kind : kinds) out += (out.empty() ? "" : " or ") + std::string(kind.type);
  return out;
}

template <class Part>
Part read_part(const JsonNode& node, std::span<const Kind<Part>> kinds, std::string_view more = "") {
  const JsonNode type = node.field("type");
  for (const auto& kind : kinds) {
    if (kind.type == type.text()) return kind.read(node);
  }
  type.fail(types_of(kinds) + std::string(more));
}

/// Appends the part at `node`, or those of a Sequence: the elements of its member `list`.
template <class Part>
void read_parts(const JsonNode& node, std::string_view list, std::span<const Kind<Part>> kinds,
                std::vector<Part>& out) {
  if (!node.is_object()) node.fail(types_of(kinds) + " or Sequence");
  if (node.field("type").text() != "Sequence") return out.push_back(read_part(node, kinds, " or Sequence"));
  for (const JsonNode& element : node.field(list).elements()) read_parts(element, list, kinds, out);
}

/// The parts of a member of the whole file that may be null or missing.
template <class Part>
std::vector<Part> read_optional_parts(const JsonNode& root, std::string_view name, std::string_view list,
                                      std::span<const Kind<Part>> kinds) {
  std::vector<Part> out;
  const auto node = root.optional_field(name);
  if (!node || node->is_null()) return out;
  if (!node->is_object()) node->fail(types_of(kinds) + " or Sequence or null");
  read_parts(*node, list, kinds, out);
  return out;
}

}  // namespace nybble::tokenizer
