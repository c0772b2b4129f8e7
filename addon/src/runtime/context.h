// What every operation is given: where to run, how exactly, with which memory, and whether to go on.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "runtime/cpu_features.h"
#include "runtime/memory.h"
#include "runtime/status.h"
#include "runtime/tensor.h"
#include "runtime/work.h"

namespace rushes {

class WeightArena;

enum class Backend { reference, cpu, cuda };
std::string_view backend_name(Backend backend);

/// One per job and thread of control; operations run inside one OpenMP team of `threads`.
struct Context {
  Backend backend = Backend::cpu;
  CpuFeatures features = CpuFeatures::host();
  int threads = 1;
  /// Type of activations that enter matrix products: f32, or bf16 where the CPU has it. The residual stream is f32.
  DType compute = DType::f32;
  /// The transformer's query and key norms round as in the original code, not as in TurboDiffusion's.
  bool original_norms = false;
  MemoryCounter* memory = nullptr;
  /// Backend cuda only: the accelerator (never null there, also while planning) and what counts its memory.
  Device* device = nullptr;
  MemoryCounter* device_memory = nullptr;
  /// Backend cuda only: where allocate() lays weights while it is set; already counted.
  WeightArena* weight_arena = nullptr;
  const std::atomic<bool>* cancelled = nullptr;
  /// Planning: tensors have no memory and operations only check shapes, allocate their scratch and count work.
  bool dry_run = false;
  WorkCount* work = nullptr;
  /// One line of log at debug level ("Int8 linear: blocks.5.self_attn.q [1536x1536]").
  std::function<void(const std::string&)> debug;

  /// Throws Cancelled. Operations call it at least every 200 ms of work, between chunks and never inside a parallel
  /// region (inside one, read is_cancelled() and leave early).
  void check_cancelled() const {
    if (is_cancelled()) throw Cancelled();
  }
  bool is_cancelled() const { return cancelled && cancelled->load(std::memory_order_relaxed); }
  /// The same job on this computer's own processor and memory: for what is small or has no kernel for a device.
  Context on_host() const {
    Context host = *this;
    if (backend != Backend::cuda) return host;
    host.backend = Backend::cpu;
    host.device = nullptr;
    host.device_memory = nullptr;
    host.weight_arena = nullptr;
    return host;
  }
  /// Uninitialised counted memory, on the device when the backend is cuda. Every scratch buffer whose size grows with
  /// the input comes from here, and is taken before the dry_run return, so that a plan sees it.
  Tensor allocate(DType type, Shape shape, MemoryUse use = MemoryUse::activations) const;
};

}  // namespace rushes
