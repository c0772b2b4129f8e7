// How operations refuse arguments that only a mistake in the engine can produce.
#pragma once
#include <string>
#include <string_view>

#include "runtime/status.h"

namespace rushes {

/// Throws engine.internal "rms_norm: weight must be [width]" unless the condition holds.
inline void expect(bool condition, std::string_view operation, std::string_view what) {
  if (!condition)
    throw Error("engine.internal", std::string(operation) + ": " + std::string(what) + ".",
                "This is a mistake in Rushes; please report it with the log.");
}

}  // namespace rushes
