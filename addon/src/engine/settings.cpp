#include "engine/settings.h"

#include <array>
#include <string>

#include "media/h264_encoder.h"

namespace rushes {
namespace {

[[noreturn]] void invalid(const std::string& sentence, const std::string& advice) {
  throw Error("settings.invalid", sentence, advice);
}

template <class Choice>
struct ChoiceName {
  Choice value;
  const char* name;
};

#define ENTRY(value, name) {value, name},
template <class Choice, size_t n>
std::string name_of(Choice value, const ChoiceName<Choice> (&names)[n]) {
  for (const auto& entry : names)
    if (entry.value == value) return entry.name;
  return "";
}

template <class Number>
std::string number_text(Number value) {
  std::string text = std::to_string(value);
  if (text.find('.') == std::string::npos) return text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

template <class Number>
void check_range(const char* id, Number value, Number smallest, Number largest) {
  if (value >= smallest && value <= largest) return;  // false for NaN
  invalid(std::string(id) + " is " + number_text(value) + ", outside its range.",
          "Choose a value from " + number_text(smallest) + " to " + number_text(largest) + ".");
}

}  // namespace

rushes_settings default_settings() {
  rushes_settings settings{};
#define INTEGER(field, id, initial, smallest, largest) settings.field = initial;
#define REAL(field, id, initial, smallest, largest) settings.field = initial;
#define BOOLEAN(field, id, initial) settings.field = initial;
#define CHOICE(field, id, type, initial, choices) settings.field = initial;
  RUSHES_SETTINGS(INTEGER, REAL, BOOLEAN, CHOICE)
#undef INTEGER
#undef REAL
#undef BOOLEAN
#undef CHOICE
  return settings;
}

nlohmann::json settings_json(const rushes_settings& settings) {
  nlohmann::json out = nlohmann::json::object();
#define INTEGER(field, id, initial, smallest, largest) out[id] = settings.field;
#define REAL(field, id, initial, smallest, largest) out[id] = settings.field;
#define BOOLEAN(field, id, initial) out[id] = settings.field != 0;
#define CHOICE(field, id, type, initial, choices)                 \
  {                                                               \
    static constexpr ChoiceName<type> names[] = {choices(ENTRY)}; \
    out[id] = name_of(settings.field, names);                     \
  }
  RUSHES_SETTINGS(INTEGER, REAL, BOOLEAN, CHOICE)
#undef INTEGER
#undef REAL
#undef BOOLEAN
#undef CHOICE
  return out;
}

void check_settings(const rushes_settings& settings) {
#define INTEGER(field, id, initial, smallest, largest) check_range<int64_t>(id, settings.field, smallest, largest);
#define REAL(field, id, initial, smallest, largest) check_range<double>(id, settings.field, smallest, largest);
#define BOOLEAN(field, id, initial)
#define CHOICE(field, id, type, initial, choices)                                          \
  {                                                                                        \
    static constexpr ChoiceName<type> names[] = {choices(ENTRY)};                          \
    if (name_of(settings.field, names).empty()) invalid(id " has an unknown choice.", ""); \
  }
  RUSHES_SETTINGS(INTEGER, REAL, BOOLEAN, CHOICE)
#undef INTEGER
#undef REAL
#undef BOOLEAN
#undef CHOICE
  if (settings.width % 16 || settings.height % 16)
    invalid("The size " + std::to_string(settings.width) + "x" + std::to_string(settings.height) +
                " is not a multiple of 16.",
            "Choose a width and a height that 16 divides.");
  require_h264_size(settings.width, settings.height);
  if (settings.num_frames % 4 != 1)
    invalid("The model cannot make " + std::to_string(settings.num_frames) + " frames.",
            "Choose a number of the form 4n + 1: 5, 9, 13, 17, ... 81.");
}

rushes_settings resolve_settings(rushes_settings settings, const ModelFacts& facts) {
  check_settings(settings);
  if (settings.device == RUSHES_DEVICE_AUTO) settings.device = facts.card ? RUSHES_DEVICE_CUDA : RUSHES_DEVICE_CPU;
  if (settings.precision == RUSHES_PRECISION_AUTO) {
    const bool bf16 = settings.device == RUSHES_DEVICE_CUDA ||
                      (settings.device == RUSHES_DEVICE_CPU && CpuFeatures::host().supports(Isa::avx512_bf16));
    settings.precision = bf16 ? RUSHES_PRECISION_BF16 : RUSHES_PRECISION_FP32;
  }
  if (settings.threads == 0) settings.threads = CpuFeatures::host().cores;
  if (settings.quant_linear == RUSHES_QUANT_LINEAR_AUTO)
    settings.quant_linear = facts.quantized || !facts.fits_16bit ? RUSHES_QUANT_LINEAR_INT8 : RUSHES_QUANT_LINEAR_OFF;
  if (settings.quant_linear == RUSHES_QUANT_LINEAR_OFF && facts.quantized)
    invalid("This transformer's file holds int8 weights, so quantization cannot be off.",
            "Choose quant linear auto or int8, or give the 16-bit file.");
  if (settings.attention_type == RUSHES_ATTENTION_TYPE_AUTO)
    settings.attention_type = facts.sla ? RUSHES_ATTENTION_TYPE_SAGESLA : RUSHES_ATTENTION_TYPE_ORIGINAL;
  if (settings.attention_type != RUSHES_ATTENTION_TYPE_ORIGINAL && !facts.sla)
    invalid("This transformer's file has no SLA weights (proj_l), so it cannot use sparse-linear attention.",
            "Choose attention original, or give a TurboDiffusion file with SLA weights.");
  if (settings.text_encoder_format == RUSHES_TEXT_ENCODER_FORMAT_AUTO)
    settings.text_encoder_format =
        facts.text_fits_16bit ? RUSHES_TEXT_ENCODER_FORMAT_16_BIT : RUSHES_TEXT_ENCODER_FORMAT_INT8;
  return settings;
}

void apply_settings(const rushes_settings& resolved, Context& context) {
  context.backend = resolved.device == RUSHES_DEVICE_REFERENCE ? Backend::reference
                    : resolved.device == RUSHES_DEVICE_CUDA    ? Backend::cuda
                                                               : Backend::cpu;
  context.compute = resolved.precision == RUSHES_PRECISION_BF16 ? DType::bf16 : DType::f32;
  context.threads = static_cast<int>(resolved.threads);
  context.original_norms = resolved.default_norm != 0;
}

nlohmann::json packing_key(const rushes_settings& resolved) {
  const nlohmann::json all = settings_json(resolved);
  nlohmann::json key;
  for (const char* id : {"device", "precision", "quantLinear", "textEncoderFormat"}) key[id] = all[id];
  return key;
}

LinearFormat dit_format(const rushes_settings& resolved) {
  if (resolved.quant_linear == RUSHES_QUANT_LINEAR_INT8) return LinearFormat::int8_tiles;
  return resolved.precision == RUSHES_PRECISION_BF16 ? LinearFormat::bf16 : LinearFormat::f32;
}

LinearFormat text_encoder_format(const rushes_settings& resolved) {
  if (resolved.text_encoder_format == RUSHES_TEXT_ENCODER_FORMAT_INT8) return LinearFormat::int8_tiles;
  return resolved.precision == RUSHES_PRECISION_BF16 ? LinearFormat::bf16 : LinearFormat::f32;
}

AttentionType attention_type(const rushes_settings& resolved) {
  switch (resolved.attention_type) {
    case RUSHES_ATTENTION_TYPE_SLA:
      return AttentionType::sla;
    case RUSHES_ATTENTION_TYPE_SAGESLA:
      return AttentionType::sagesla;
    default:
      return AttentionType::original;
  }
}

}  // namespace rushes
