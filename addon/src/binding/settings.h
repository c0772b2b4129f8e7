// The settings struct from and to JavaScript, field by field out of the generated list.
#pragma once
#include <napi.h>

#include "rushes/settings.h"

namespace rushes::binding {

/// Fields that are absent keep their default; a field of the wrong type or an unknown choice throws a TypeError that
/// names it. Ranges are the engine's business.
rushes_settings read_settings(const Napi::Object& object);
Napi::Object echo_settings(Napi::Env env, const rushes_settings& settings);

}  // namespace rushes::binding
