// NFC, NFD, NFKC and NFKD (Unicode, annex 15) with the tables of the reference.
#pragma once

#include "tokenizer/aligned_text.h"

namespace nybble::tokenizer {

struct UnicodeForm {
  bool compatibility = false;
  bool composed = false;
};

/// Linear but for the sorting of marks on one letter.
AlignedText normalize(const UnicodeForm& form, AlignedText input);

}  // namespace nybble::tokenizer
