#include "engine/card.h"

#include <algorithm>

#include "cuda/cuda_device.h"
#include "cuda/host.h"
#include "runtime/status.h"

namespace rushes {
namespace {

constexpr int kLeastArchitecture = 80;
// Of the card's memory, kept from jobs while nothing is known about who else uses it: the driver's context, a desktop.
constexpr uint64_t kReserve = uint64_t{800} << 20;

std::string sentence_of(const std::string& problem) { return "The graphics card cannot be used: " + problem + "."; }

}  // namespace

CardSearch find_card() {
  const cuda::Discovery found = cuda::discover();
  CardSearch search;
  for (size_t i = 0; i < found.devices.size(); ++i) {
    const DeviceInfo& info = found.devices[i];
    if (info.architecture >= kLeastArchitecture) {
      search.card = Card{info, static_cast<int>(i), info.total_bytes - std::min(kReserve, info.total_bytes / 4)};
      return search;
    }
    search.name = info.name;
  }
  search.problem = search.name.empty() ? sentence_of(found.problem)
                                       : "The card " + search.name + " is older than those that Rushes computes on.";
  return search;
}

std::optional<Card> card_for(const rushes_settings& settings) {
  if (settings.device != RUSHES_DEVICE_AUTO && settings.device != RUSHES_DEVICE_CUDA) return std::nullopt;
  CardSearch search = find_card();
  if (settings.device == RUSHES_DEVICE_CUDA && !search.card) {
    if (search.name.empty()) cuda::open_cuda_device(0);  // says what is missing
    throw Error("gpu.unavailable", "There is no graphics card here that Rushes can use.",
                "Choose the device cpu, or run `rushes doctor` to see why.", search.problem);
  }
  if (settings.device == RUSHES_DEVICE_AUTO && search.card && search.card->info.emulated) return std::nullopt;
  return search.card;
}

std::string cuda_driver_text() {
  int version = 0;
  if (cuda::driver_version(version) != 0 || version == 0) return "";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string architecture_text(int architecture) {
  return std::to_string(architecture / 10) + "." + std::to_string(architecture % 10);
}

}  // namespace rushes
