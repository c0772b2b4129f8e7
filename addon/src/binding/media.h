// Finished videos in other forms (app/engine/addon.ts, Addon.decodeClip and Addon.encodeVp9).
#pragma once
#include <napi.h>

namespace rushes::binding {

/// (clip, first, onEvent) -> {done, cancel}
Napi::Value decode_clip(const Napi::CallbackInfo& info);
/// (clip, settings, onEvent) -> {done, cancel}
Napi::Value encode_vp9(const Napi::CallbackInfo& info);

}  // namespace rushes::binding
