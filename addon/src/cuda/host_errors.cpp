// From a code of the CUDA runtime to an error with a sentence. The numbers are those of cudaError_t, which never
// change.
#include <algorithm>
#include <array>

#include "cuda/launch_errors.h"
#include "runtime/card_shortage.h"

namespace rushes::cuda {
namespace {

constexpr Code kOutOfMemory = 2;
// cudaErrorInsufficientDriver, StubLibrary, SystemNotReady, SystemDriverMismatch, CompatNotSupportedOnDevice
constexpr std::array kDriver = {35, 34, 802, 803, 804};
// NoKernelImageForDevice, InvalidKernelImage, UnsupportedPtxVersion, InvalidDeviceFunction, InvalidPtx,
// JitCompilerNotFound
constexpr std::array kNoKernel = {209, 200, 222, 98, 218, 221};
// EccUncorrectable, IllegalAddress, LaunchTimeout, HardwareStackError, IllegalInstruction, MisalignedAddress,
// InvalidAddressSpace, InvalidPc, LaunchFailure, Assert, NvlinkUncorrectable, DeviceUninitialized, ContextIsDestroyed,
// Contained, TensorMemoryLeak
constexpr std::array kLost = {214, 700, 702, 714, 715, 716, 717, 718, 719, 710, 220, 201, 709, 721, 724};

template <size_t kCount>
bool is_one_of(const std::array<int, kCount>& codes, Code code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

bool is_lost(Code code) { return is_one_of(kLost, code); }

void require(Code code, const char* doing) {
  if (code == 0) return;
  const std::string detail = std::string("While ") + doing + ": " + code_text(code);
  if (code == kOutOfMemory) {
    uint64_t free = 0, total = 0;
    if (memory_info(free, total) != 0) free = 0;
    throw CardShortage("Close other programs that use the card, or choose a smaller size or fewer frames.", detail, 0,
                       free);
  }
  constexpr Code kNoDevice = 100;
  if (code == kNoDevice)
    throw Error("gpu.unavailable", "There is no graphics card here that Rushes can use.",
                "Choose the device cpu, or run `rushes doctor` to see why.", detail);
  if (is_one_of(kDriver, code))
    throw Error("gpu.driver", "The driver of the graphics card is missing or too old for Rushes.",
                "Install NVIDIA's current driver, or choose the device cpu.", detail);
  if (is_one_of(kNoKernel, code))
    throw Error("gpu.no_kernel", "This build of Rushes has no code for this graphics card.",
                "Choose the device cpu, or install a build for this card.", detail);
  if (is_lost(code))
    throw Error("gpu.lost", std::string("The graphics card stopped working while ") + doing + ".",
                "Start the job again. If it happens again, restart the computer or update the card's driver.", detail);
  throw Error("gpu.failed", std::string("The graphics card failed while ") + doing + ".",
              "Start the job again, or choose the device cpu.", detail);
}

}  // namespace rushes::cuda
