// A graphics card's memory that is full, told apart from the computer's.
#pragma once
#include "runtime/status.h"

namespace rushes {

/// memory.exhausted; its bytes are of the card's memory.
class CardShortage : public Error {
 public:
  CardShortage(std::string advice, std::string detail, uint64_t needed, uint64_t free)
      : Error("memory.exhausted", "The graphics card has too little free memory for this job.", std::move(advice),
              std::move(detail)) {
    needed_bytes = needed;
    free_bytes = free;
  }
};

}  // namespace rushes
