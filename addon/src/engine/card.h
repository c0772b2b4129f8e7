// The graphics card a job would run on, or why there is none.
#pragma once
#include <optional>
#include <string>

#include "runtime/device.h"
#include "rushes/settings.h"

namespace rushes {

/// A card to plan for; it need not exist.
struct Card {
  DeviceInfo info;
  int ordinal = 0;
  uint64_t free_bytes = 0;  // what a job may use of its memory
};

/// What looking for a card found.
struct CardSearch {
  std::optional<Card> card;
  std::string name;     // of a card that cannot be used, if one is known; else ""
  std::string problem;  // one sentence; "" when there is a card
};

/// The first card that this build can compute on. Never throws and starts no work on the card; its free memory is then
/// taken to be all but what the driver and a desktop need.
CardSearch find_card();

/// The card of a job: of `auto` the one that is there unless it is only emulated, of `cuda` the one that must be there
/// (throws gpu.driver or gpu.unavailable); else none.
std::optional<Card> card_for(const rushes_settings& settings);

/// "13.0"; "" without a driver.
std::string cuda_driver_text();
/// "9.0"
std::string architecture_text(int architecture);

}  // namespace rushes
