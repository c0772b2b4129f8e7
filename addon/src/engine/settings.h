// The generated settings struct in C++: defaults, range checks, names, and what "auto" means for one model here.
#pragma once
#include <nlohmann/json.hpp>

#include "ops/attention/attention.h"
#include "ops/linear/linear.h"
#include "runtime/context.h"
#include "rushes/settings.h"

namespace rushes {

rushes_settings default_settings();

/// Every field by its id, choices as their names: what reports and files hold.
nlohmann::json settings_json(const rushes_settings& settings);

/// Throws settings.invalid with the first field that is out of its range, or a size or frame count the models cannot
/// make (multiples of 16; 4n + 1 frames) or no video can have (media/h264_encoder.h).
void check_settings(const rushes_settings& settings);

/// What the model's files say that settings depend on.
struct ModelFacts {
  bool quantized = false;  // the transformer's file holds int8 layers
  bool sla = false;        // and proj_l weights
  bool fits_16bit = true;  // the memory plan at 16 bit stays within the budget
  bool text_fits_16bit = true;
  bool card = false;  // there is a graphics card to run on
};

/// The settings with every "auto" decided, so that what is stored is what ran. Throws settings.invalid in one sentence
/// where the files cannot do what is asked (quantization off with an int8 file, sla without SLA weights).
rushes_settings resolve_settings(rushes_settings settings, const ModelFacts& facts);

/// The context's backend, precision and threads of resolved settings.
void apply_settings(const rushes_settings& resolved, Context& context);

/// What packed weights depend on: parts packed for one key serve every job of that key.
nlohmann::json packing_key(const rushes_settings& resolved);

/// Formats of the linear layers of resolved settings.
LinearFormat dit_format(const rushes_settings& resolved);
LinearFormat text_encoder_format(const rushes_settings& resolved);
AttentionType attention_type(const rushes_settings& resolved);

}  // namespace rushes
