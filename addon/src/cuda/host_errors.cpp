// From a code of the CUDA runtime to an error with a sentence. The numbers are those of cudaError_t, which never
// change.
#include <algorithm>
#include <array>

#include "cuda/error_numbers.h"
#include "cuda/launch_errors.h"
#include "runtime/card_shortage.h"

namespace rushes::cuda {
namespace {

using Number = ErrorNumber;
constexpr std::array kDriver = {
    Number::stub_library,     Number::insufficient_driver,    Number::call_requires_newer_driver,
    Number::system_not_ready, Number::system_driver_mismatch, Number::compat_not_supported_on_device};
constexpr std::array kNoKernel = {
    Number::no_kernel_image_for_device, Number::invalid_kernel_image, Number::unsupported_ptx_version,
    Number::invalid_device_function,    Number::invalid_ptx,          Number::jit_compiler_not_found,
    Number::jit_compilation_disabled};
// After most of these "the process must be terminated and relaunched" (driver_types.h): nothing brings the card back to
// this one.
constexpr std::array kLost = {
    Number::ecc_uncorrectable,     Number::nvlink_uncorrectable, Number::contained,
    Number::illegal_address,       Number::launch_timeout,       Number::device_assert,
    Number::hardware_stack_error,  Number::illegal_instruction,  Number::misaligned_address,
    Number::invalid_address_space, Number::invalid_pc,           Number::launch_failure,
    Number::tensor_memory_leak,    Number::device_uninitialized, Number::context_is_destroyed};

bool is_one_of(const auto& codes, Code code) { return std::ranges::find(codes, code) != codes.end(); }

}  // namespace

bool is_lost(Code code) { return is_one_of(kLost, code); }

void require(Code code, const char* doing) {
  if (code == 0) return;
  const std::string detail = std::string("While ") + doing + ": " + code_text(code);
  if (code == Number::memory_allocation) {
    uint64_t free = 0, total = 0;
    if (memory_info(free, total) != 0) free = 0;
    throw CardShortage("Close other programs that use the card, or choose a smaller size or fewer frames.", detail, 0,
                       free);
  }
  if (code == Number::no_device)
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
