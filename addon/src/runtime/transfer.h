// Moving tensors between host memory and a context's device. On every backend but cuda both are the same memory, and
// nothing is copied.
#pragma once
#include "runtime/context.h"

namespace rushes {

/// `host` where kernels of the context can read it: a copy in device memory on cuda, else the tensor itself. A tensor
/// that is on the device already is returned as it is.
Tensor to_device(const Context& context, const Tensor& host, MemoryUse use = MemoryUse::activations);

/// `tensor` where loops can read it: a copy in host memory when it lies on a device (all earlier work of the device is
/// then done), else the tensor itself.
Tensor to_host(const Context& context, const Tensor& tensor);

/// Copies elements between two tensors of one type and count, each on the host or on the context's device. A copy to
/// the host returns when the elements are there.
void copy_tensor(const Context& context, const Tensor& from, Tensor& to);

/// All bytes zero.
void fill_zero(const Context& context, Tensor& tensor);

}  // namespace rushes
