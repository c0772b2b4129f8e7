#include "runtime/transfer.h"

#include <cstring>

namespace rushes {

Tensor to_device(const Context& context, const Tensor& host, MemoryUse use) {
  if (context.backend != Backend::cuda || !host.defined() || host.device()) return host;
  Tensor out = context.allocate(host.type(), host.shape(), use);
  copy_tensor(context, host, out);
  return out;
}

Tensor to_host(const Context& context, const Tensor& tensor) {
  if (!tensor.device()) return tensor;
  Tensor out = context.on_host().allocate(tensor.type(), tensor.shape());
  copy_tensor(context, tensor, out);
  return out;
}

void copy_tensor(const Context& context, const Tensor& from, Tensor& to) {
  if (from.type() != to.type() || from.count() != to.count())
    throw Error("engine.internal", "A tensor was copied into one of another type or size.", {},
                shape_text(from.shape()) + " to " + shape_text(to.shape()));
  if (context.dry_run || from.bytes() == 0) return;
  if (from.device() && to.device())
    to.device()->copy(to.raw(), from.raw(), from.bytes());
  else if (to.device())
    to.device()->upload(to.raw(), from.raw(), from.bytes());
  else if (from.device())
    from.device()->download(to.raw(), from.raw(), from.bytes());
  else
    std::memcpy(to.raw(), from.raw(), from.bytes());
}

void fill_zero(const Context& context, Tensor& tensor) {
  if (context.dry_run || tensor.bytes() == 0) return;
  if (tensor.device())
    tensor.device()->zero(tensor.raw(), tensor.bytes());
  else
    std::memset(tensor.raw(), 0, tensor.bytes());
}

}  // namespace rushes
