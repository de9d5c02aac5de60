// A tokenizer.json of a few tokens, whose parts a test may exchange.
#pragma once

#include <map>
#include <string>

namespace nybble::tokenizer::test {

/// The top-level members by name, as JSON.
using Parts = std::map<std::string, std::string>;

inline Parts small_parts() {
  return {
      {"version", R"("1.0")"},
      {"truncation", "null"},
      {"padding", "null"},
      {"added_tokens", R"([
        {"id":0,"content":"[PAD]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":1,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":2,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":3,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}])"},
      {"normalizer", R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
                         "strip_accents":null,"lowercase":true})"},
      {"pre_tokenizer", R"({"type":"BertPreTokenizer"})"},
      {"model", R"({"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
        "max_input_chars_per_word":20,"vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"un":4,"##aff":5,"##able":6,
        "hello":7,"world":8,",":9,"!":10,"e":11,"##e":12,"i":13,"\u4e2d":14,"##a":15,"a":16,"##\u0301":17,
        "hell":18,"[":19,"]":20,"mask":21,"##\u302e":22,"##\u0307":23,"x":24,"##x":25,"\u1112":26,
        "##\u1161":27,"##\u11ab":28}})"},
      {"post_processor", R"({"type":"TemplateProcessing",
        "single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                  {"SpecialToken":{"id":"[SEP]","type_id":0}}],
        "pair":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                {"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},
                {"SpecialToken":{"id":"[SEP]","type_id":1}}],
        "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]},
                          "[SEP]":{"id":"[SEP]","ids":[3],"tokens":["[SEP]"]}}})"},
      {"decoder", R"({"type":"WordPiece","prefix":"##","cleanup":true})"},
  };
}

inline std::string to_json(const Parts& parts) {
  std::string out;
  for (const auto& [name, json] : parts) {
    out += out.empty() ? "{\"" : ",\"";
    out += name;
    out += "\":";
    out += json;
  }
  return out + "}";
}

/// The small tokenizer with one member exchanged; nothing for `json` leaves the member out.
inline std::string small_json(const std::string& name = "version", const std::string& json = R"("1.0")") {
  Parts parts = small_parts();
  parts[name] = json;
  if (json.empty()) parts.erase(name);
  return to_json(parts);
}

}  // namespace nybble::tokenizer::test
