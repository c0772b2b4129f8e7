#include "engine/machine.h"

#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/card.h"
#include "engine/memory_limit.h"
#include "runtime/cpu_features.h"
#include "runtime/page_pool.h"

#ifdef RUSHES_HAS_OPENH264
#include <wels/codec_api.h>
#endif
#ifdef RUSHES_HAS_VPX
#include <vpx/vpx_codec.h>
#endif

namespace rushes {
namespace {

struct Gpu {
  std::string name, reason;
};

// Through the driver's own library, loaded only if it is there: no toolkit is needed to ask.
Gpu find_gpu() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!driver) return {"", "No NVIDIA driver is installed (libcuda.so.1 was not found)."};
  const auto initialise = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count_devices = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  const auto device_name = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
  int count = 0;
  char name[256] = {};
  Gpu gpu;
  if (!initialise || !count_devices || !device_name)
    gpu.reason = "The NVIDIA driver's library is not complete.";
  else if (const int status = initialise(0))
    gpu.reason = "The NVIDIA driver did not start (error " + std::to_string(status) + ").";
  else if (count_devices(&count) || count == 0)
    gpu.reason = "The NVIDIA driver sees no GPU.";
  else if (device_name(name, sizeof name, 0))
    gpu.reason = "The NVIDIA driver does not answer.";
  else
    gpu = {name, "This build of Rushes computes on the CPU only."};
  dlclose(driver);
  return gpu;
}

nlohmann::json gpu_facts() {
  const CardSearch search = find_card();
  if (search.card && !search.card->info.emulated) {
    const DeviceInfo& info = search.card->info;
    return {{"name", info.name},
            {"reason", ""},
            {"architecture", architecture_text(info.architecture)},
            {"totalBytes", info.total_bytes},
            {"driver", cuda_driver_text()}};
  }
  static const Gpu seen = find_gpu();  // starting the driver takes a while
  const std::string name = search.name.empty() ? seen.name : search.name;
  const std::string driver = cuda_driver_text();  // "" in a build without CUDA
  // A driver that runs and has a card, and yet no card for this build's kernels: only the search knows why.
  const bool refused = !search.name.empty() || (!seen.name.empty() && !driver.empty() && !search.problem.empty());
  nlohmann::json facts = {{"name", name.empty() ? nlohmann::json() : nlohmann::json(name)},
                          {"reason", refused ? search.problem : seen.reason}};
  if (!driver.empty()) facts["driver"] = driver;
  return facts;
}

}  // namespace

std::string no_card_reason() { return gpu_facts().at("reason").get<std::string>(); }

MachineMemory machine_memory() {
  MachineMemory memory;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  uint64_t kibibytes;
  while (file >> key >> kibibytes && std::getline(file, unit)) {
    if (key == "MemTotal:") memory.total_bytes = kibibytes * 1024;
    if (key == "MemAvailable:") memory.free_bytes = kibibytes * 1024;
  }
  const MemoryLimit limit = memory_limit("/sys/fs/cgroup", "/proc/self/cgroup");
  memory.total_bytes = std::min(memory.total_bytes, limit.total_bytes);
  memory.free_bytes = std::min(memory.free_bytes, limit.free_bytes);
  return memory;
}

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  if (!(file >> all >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void return_freed_memory() {
  PagePool::of_this_process().trim();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

std::string machine_report() {
  const CpuFeatures& cpu = CpuFeatures::host();
  nlohmann::json isa = nlohmann::json::array();
  for (auto set : {Isa::portable, Isa::avx2, Isa::avxvnni, Isa::avx512, Isa::avx512_vnni, Isa::avx512_bf16, Isa::amx})
    if (cpu.supports(set)) isa.push_back(isa_name(set));
  nlohmann::json libraries = nlohmann::json::object();
#ifdef RUSHES_HAS_OPENH264
  OpenH264Version h264;
  WelsGetCodecVersionEx(&h264);
  libraries["OpenH264"] =
      std::to_string(h264.uMajor) + "." + std::to_string(h264.uMinor) + "." + std::to_string(h264.uRevision);
#else
  libraries["OpenH264"] = "not built in: videos cannot be written";
#endif
#ifdef RUSHES_HAS_VPX
  libraries["libvpx"] = vpx_codec_version_str() + 1;  // "v1.12.0"
#else
  libraries["libvpx"] = "not built in: videos cannot be exported as WebM";
#endif
  const MachineMemory memory = machine_memory();
  return nlohmann::json{{"cpu", {{"model", cpu.model}, {"cores", cpu.cores}, {"isa", isa}}},
                        {"memory", {{"totalBytes", memory.total_bytes}, {"freeBytes", memory.free_bytes}}},
                        {"residentBytes", resident_bytes()},
                        {"gpu", gpu_facts()},
                        {"libraries", libraries}}
      .dump();
}

}  // namespace rushes
