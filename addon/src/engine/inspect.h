// What a weights file is, from its header alone.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "files/checkpoint.h"

namespace rushes {

/// The JSON object described at rushes_inspect (rushes/engine.h). Errors: those of Checkpoint::open.
std::string inspect_report(const std::filesystem::path& path);
std::string inspect_report(std::shared_ptr<const Checkpoint> file);

}  // namespace rushes
