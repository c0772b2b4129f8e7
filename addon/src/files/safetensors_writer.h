// Writes a safetensors file whole: to a temporary name beside it, flushed, then renamed.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runtime/tensor_view.h"

namespace rushes {

/// Errors: disk.full (needed bytes said), file.unwritable. Nothing is left behind after an error.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace rushes
