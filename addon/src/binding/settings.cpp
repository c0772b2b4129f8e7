#include "binding/settings.h"

#include <cmath>
#include <string>

#include "rushes/engine.h"

namespace rushes::binding {
namespace {

[[noreturn]] void refuse(Napi::Env env, const std::string& id, const std::string& wanted) {
  throw Napi::TypeError::New(env, "The setting " + id + " must be " + wanted + ".");
}

double read_number(const Napi::Value& value, const char* id) {
  if (!value.IsNumber()) refuse(value.Env(), id, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t read_integer(const Napi::Value& value, const char* id) {
  const double number = read_number(value, id);
  if (std::floor(number) != number || std::abs(number) > 9007199254740991.0) refuse(value.Env(), id, "a whole number");
  return static_cast<int64_t>(number);
}

}  // namespace

rushes_settings read_settings(const Napi::Object& object) {
  rushes_settings settings;
  rushes_settings_default(&settings);
  const auto given = [&](const char* id) { return object.Has(id) && !object.Get(id).IsUndefined(); };
#define INTEGER(field, id, initial, smallest, largest) \
  if (given(id)) settings.field = read_integer(object.Get(id), id);
#define REAL(field, id, initial, smallest, largest) \
  if (given(id)) settings.field = read_number(object.Get(id), id);
#define BOOLEAN(field, id, initial)                                             \
  if (given(id)) {                                                              \
    if (!object.Get(id).IsBoolean()) refuse(object.Env(), id, "true or false"); \
    settings.field = object.Get(id).As<Napi::Boolean>().Value();                \
  }
#define CHOICE_CASE(value, name) \
  if (text == name) chosen = value, known = true;
#define CHOICE(field, id, type, initial, choices)                            \
  if (given(id)) {                                                           \
    const std::string text = object.Get(id).ToString();                      \
    type chosen = initial;                                                   \
    bool known = false;                                                      \
    choices(CHOICE_CASE);                                                    \
    if (!known) refuse(object.Env(), id, "one of its choices, not " + text); \
    settings.field = chosen;                                                 \
  }
  RUSHES_SETTINGS(INTEGER, REAL, BOOLEAN, CHOICE)
#undef INTEGER
#undef REAL
#undef BOOLEAN
#undef CHOICE
#undef CHOICE_CASE
  return settings;
}

Napi::Object echo_settings(Napi::Env env, const rushes_settings& settings) {
  Napi::Object out = Napi::Object::New(env);
#define INTEGER(field, id, initial, smallest, largest) \
  out.Set(id, Napi::Number::New(env, static_cast<double>(settings.field)));
#define REAL(field, id, initial, smallest, largest) out.Set(id, Napi::Number::New(env, settings.field));
#define BOOLEAN(field, id, initial) out.Set(id, Napi::Boolean::New(env, settings.field != 0));
#define CHOICE_CASE(value, name) \
  if (chosen == value) out.Set(key, Napi::String::New(env, name));
#define CHOICE(field, id, type, initial, choices) \
  {                                               \
    const auto chosen = settings.field;           \
    const char* key = id;                         \
    choices(CHOICE_CASE)                          \
  }
  RUSHES_SETTINGS(INTEGER, REAL, BOOLEAN, CHOICE)
#undef INTEGER
#undef REAL
#undef BOOLEAN
#undef CHOICE
#undef CHOICE_CASE
  return out;
}

}  // namespace rushes::binding
