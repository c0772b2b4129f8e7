// PyTorch's zip checkpoints: archive + pickle -> tensors.
#pragma once
#include <memory>

#include "files/checkpoint.h"
#include "files/mapped_file.h"

namespace rushes {

std::shared_ptr<const Checkpoint> open_pytorch_zip(std::shared_ptr<const MappedFile> file);

}  // namespace rushes
