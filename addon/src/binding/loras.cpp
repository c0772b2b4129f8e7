#include "binding/loras.h"

namespace rushes::binding {
namespace {

[[noreturn]] void refuse(Napi::Env env) {
  throw Napi::TypeError::New(env, "loras must be an array of {path, strength, expert}.");
}

rushes_lora_expert expert_of(const Napi::Value& value) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "both") return RUSHES_LORA_BOTH;
  if (name == "high") return RUSHES_LORA_HIGH;
  if (name == "low") return RUSHES_LORA_LOW;
  refuse(value.Env());
}

}  // namespace

LoraList::LoraList(const Napi::Value& list) {
  if (list.IsUndefined() || list.IsNull()) return;
  if (!list.IsArray()) refuse(list.Env());
  const auto array = list.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (!value.IsObject()) refuse(list.Env());
    const auto item = value.As<Napi::Object>();
    const Napi::Value path = item.Get("path"), strength = item.Get("strength");
    if (!path.IsString() || !strength.IsNumber()) refuse(list.Env());
    items_.push_back(
        {path.As<Napi::String>(), strength.As<Napi::Number>().DoubleValue(), expert_of(item.Get("expert"))});
  }
}

std::vector<rushes_lora> LoraList::pointers() const {
  std::vector<rushes_lora> out;
  for (const Item& item : items_) out.push_back({item.path.c_str(), item.strength, item.expert});
  return out;
}

}  // namespace rushes::binding
