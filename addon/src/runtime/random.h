// Seeded random tensors and the error measure: what kernel checks, tests and benchmarks compare with.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>

#include "runtime/context.h"
#include "runtime/tensor.h"
#include "runtime/transfer.h"

namespace rushes::check {

/// Normal values of the given scale, as f32 or bf16; on the device of a cuda context.
inline Tensor random_tensor(const Context& context, Shape shape, uint64_t seed, float scale = 1.0f, DType type = DType::f32) {
  Tensor out = context.on_host().allocate(type, std::move(shape));
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  for (int64_t i = 0; i < out.count(); ++i) {
    if (type == DType::f32) out.data<float>()[i] = normal(engine);
    else out.data<bf16>()[i] = bf16(normal(engine));
  }
  return to_device(context, out);
}

/// The element as float, whatever the type (f32 or bf16).
inline float at(const Tensor& x, int64_t i) { return x.type() == DType::f32 ? x.data<float>()[i] : float(x.data<bf16>()[i]); }

/// A copy of `x` whose first value is off by the sum of all magnitudes plus one.
inline Tensor spoiled_copy(const Tensor& x) {
  Tensor copy(DType::f32, x.shape(), std::make_shared<Storage>(nullptr, MemoryUse::activations, 4 * x.count(), false));
  double sum = 1;
  for (int64_t i = 0; i < x.count(); ++i) {
    copy.data<float>()[i] = at(x, i);
    sum += std::fabs(at(x, i));
  }
  copy.data<float>()[0] += static_cast<float>(sum);
  return copy;
}

/// Set (ops/checks.cpp) to make the next relative_error compare a wrong output; it clears it.
inline thread_local bool spoil_output = false;

/// ||out - reference|| / ||reference|| in float64; infinite when out holds a non-finite value. Either may lie on a device.
inline double relative_error(const Tensor& out, const Tensor& reference) {
  if (out.device() || reference.device())
    return relative_error(to_host(Context(), out), to_host(Context(), reference));
  if (std::exchange(spoil_output, false))  // one value of a copy is off by the sum of all magnitudes
    return relative_error(spoiled_copy(out), reference);
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < reference.count(); ++i) {
    const double r = at(reference, i), d = at(out, i) - r;
    if (!std::isfinite(at(out, i))) return INFINITY;
    difference += d * d;
    norm += r * r;
  }
  return std::sqrt(difference / (norm > 0 ? norm : 1));
}

}  // namespace rushes::check
