// The LoRAs of a call (app/engine/addon.ts, EngineLora).
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "rushes/engine.h"

namespace rushes::binding {

/// Holds what rushes_lora points to; copies keep their own.
class LoraList {
 public:
  /// An array, or undefined or null for none. Throws TypeError for anything else.
  explicit LoraList(const Napi::Value& list);
  /// Valid as long as this is.
  std::vector<rushes_lora> pointers() const;

 private:
  struct Item {
    std::string path;
    double strength;
    rushes_lora_expert expert;
  };
  std::vector<Item> items_;
};

}  // namespace rushes::binding
