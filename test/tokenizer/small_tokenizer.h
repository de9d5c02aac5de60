// A tokenizer.json of a few tokens, whose parts a test may exchange.
#pragma once

#include <map>
#include <string>
#include <vector>

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

/// Tokenizers of the other model kinds, with many of the other parts.
inline std::vector<std::string> other_jsons() {
  const std::string bpe =
      R"({"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"a":1,
    "b":2,"c":3,"ab":4,"abc":5,"aa":6,"aaaa":7," ":8,"\u2581":9,"\u2581a":10,"\u0120":11,"\u0120a":12,"<0xE4>":13,
    "<0xB8>":14,"<0xAD>":15,"<s>":16,"</s>":17,"\u00e9":18,"\u00c3":19,"\u00a9":20,"\u00c3\u00a9":21},
    "merges":[["a","b"],["ab","c"],["a","a"],["aa","aa"],["\u2581","a"],["\u0120","a"],["\u00c3","\u00a9"]]})";
  const std::string unigram =
      R"({"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<unk>",0],["a",-1],["b",-1.5],
    ["ab",-2],["abc",-6],["c",-3],["\u2581",-4],["\u2581a",-4.5],["<0xE4>",-9],["1",-2],["\u4e2d",-7]]})";
  const std::string words =
      R"({"type":"WordLevel","unk_token":"u","vocab":{"u":0,"a":1,"ab":2,"hello":3,",":4}})";
  const std::string roberta =
      R"({"type":"RobertaProcessing","sep":["</s>",17],"cls":["<s>",16],"trim_offsets":true,
    "add_prefix_space":true})";
  const std::string charsmap =
      R"({"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Nmt"},{"type":"Replace",
    "pattern":{"Regex":" {2,}|\\p{M}+"},"content":" "},{"type":"Strip","strip_left":true,"strip_right":true}]})";
  const auto make = [](const std::string& normalizer, const std::string& pre_tokenizer,
                       const std::string& model, const std::string& post_processor,
                       const std::string& decoder) {
    return to_json({{"version", R"("1.0")"},
                    {"normalizer", normalizer},
                    {"pre_tokenizer", pre_tokenizer},
                    {"model", model},
                    {"post_processor", post_processor},
                    {"decoder", decoder}});
  };
  return {
      make("null", R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})",
           bpe, roberta, R"({"type":"ByteLevel"})"),
      make(R"({"type":"NFC"})", R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":
        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})",
           bpe, roberta, R"({"type":"ByteLevel"})"),
      make(
          R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},{"type":"Replace","pattern":
        {"String":" "},"content":"\u2581"}]})",
          "null", bpe, "null", R"({"type":"Sequence","decoders":[{"type":"Replace",
        "pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ",
        "start":1,"stop":0}]})"),
      make(charsmap, R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace",
        "replacement":"\u2581","prepend_scheme":"always"}]})",
           unigram, "null", R"({"type":"Metaspace","replacement":"\u2581"})"),
      make(
          R"({"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"StripAccents"},{"type":"Lowercase"}]})",
          R"({"type":"Sequence","pretokenizers":[{"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":false},
        {"type":"UnicodeScripts"},{"type":"Digits","individual_digits":true},{"type":"Punctuation",
        "behavior":"MergedWithNext"}]})",
          unigram, "null", "null"),
      make(R"({"type":"NFD"})", R"({"type":"Whitespace"})", words, "null",
           R"({"type":"WordPiece","prefix":"##","cleanup":true})"),
  };
}

}  // namespace nybble::tokenizer::test
