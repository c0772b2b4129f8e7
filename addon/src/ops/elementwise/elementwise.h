// Small operations on whole tensors.
#pragma once
#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

/// out = x, converted between f32 and bf16 (round to nearest even). Same count; shapes may differ.
void convert(const Context& context, const Tensor& x, Tensor& out);

/// out = a + b, f32.
void add(const Context& context, const Tensor& a, const Tensor& b, Tensor& out);

/// out = x * sigmoid(x), f32.
void silu(const Context& context, const Tensor& x, Tensor& out);

/// out = up * gelu_tanh(gate): umT5's gated feed-forward. All of one shape, f32 or bf16.
void gated_gelu(const Context& context, const Tensor& gate, const Tensor& up, Tensor& out);

/// True when every element is finite. f32 or bf16.
bool all_finite(const Context& context, const Tensor& x);

void append_elementwise_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
