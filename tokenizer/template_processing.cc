// TemplateProcessing: the templates are written in the file.
#include <map>

#include "tokenizer/post_processor.h"

namespace nybble::tokenizer {
namespace {

/// Bounds the memory that a short text can cost.
constexpr std::size_t kMaxSpecialTokens = 4096;

using SpecialTokens = std::map<std::string, std::vector<std::int32_t>, std::less<>>;

std::vector<std::int32_t> read_ids(const JsonNode& node) {
  std::vector<std::int32_t> ids;
  for (const JsonNode& id : node.field("ids").elements()) ids.push_back(id.id());
  return ids;
}

SpecialTokens read_special_tokens(const JsonNode& node) {
  SpecialTokens out;
  for (const auto& [name, element] : node.object()) {
    out.insert_or_assign(std::string(name), read_ids(node.member(name, element)));
  }
  return out;
}

TemplatePiece read_text_piece(const JsonNode& node) {
  const JsonNode id = node.field("id");
  const std::int32_t type_id = node.field("type_id").id();
  if (id.text() == "A") return {TemplatePiece::Kind::first_text, type_id, {}};
  if (id.text() == "B") return {TemplatePiece::Kind::second_text, type_id, {}};
  id.fail("\"A\" or \"B\"");
}

TemplatePiece read_special_piece(const JsonNode& node, const SpecialTokens& known) {
  const JsonNode id = node.field("id");
  const auto found = known.find(id.text());
  if (found == known.end()) id.fail("a name of special_tokens");
  return {TemplatePiece::Kind::special, node.field("type_id").id(), found->second};
}

TemplatePiece read_piece(const JsonNode& node, const SpecialTokens& known) {
  const auto text = node.optional_field("Sequence");
  const auto special = node.optional_field("SpecialToken");
  if (text.has_value() == special.has_value()) node.fail("one of Sequence and SpecialToken");
  return text ? read_text_piece(*text) : read_special_piece(*special, known);
}

/// Refuses what goes beyond a text each and the bound on special tokens.
class TemplateLimits {
 public:
  explicit TemplateLimits(std::size_t most_texts) : most_texts_(most_texts) {}

  void check(const TemplatePiece& piece, const JsonNode& node) {
    special_ += piece.ids.size();
    if (special_ > kMaxSpecialTokens) {
      node.fail("at most " + std::to_string(kMaxSpecialTokens) + " special tokens", std::to_string(special_));
    }
    if (piece.kind == TemplatePiece::Kind::special) return;
    const std::size_t text = piece.kind == TemplatePiece::Kind::first_text ? 0 : 1;
    if (text >= most_texts_) node.fail("the only text, A", "B");
    if (seen_[text]++ > 0) node.fail("each text once", "a second time");
  }

 private:
  std::size_t most_texts_;
  std::size_t special_ = 0;
  std::size_t seen_[2] = {0, 0};
};

Template read_template(const JsonNode& node, const SpecialTokens& known, std::size_t most_texts) {
  Template out;
  TemplateLimits limits(most_texts);
  for (const JsonNode& element : node.elements()) {
    out.push_back(read_piece(element, known));
    limits.check(out.back(), element);
  }
  return out;
}

}  // namespace

PostProcessor read_template_processing(const JsonNode& node) {
  const SpecialTokens known = read_special_tokens(node.field("special_tokens"));
  return {read_template(node.field("single"), known, 1), read_template(node.field("pair"), known, 2), {}};
}

}  // namespace nybble::tokenizer
