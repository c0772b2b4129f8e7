// The addon's exports (app/engine/addon.ts). Node-API is reached from this folder only.
#include <napi.h>

#include "binding/call.h"
#include "binding/media.h"
#include "binding/model.h"
#include "binding/settings.h"
#include "rushes/engine.h"

namespace rushes::binding {
namespace {

Napi::Value inspect(const Napi::CallbackInfo& info) {
  const std::string path = info[0].ToString();
  return start_light_call(info.Env(), [=](Call&, char** report) { return rushes_inspect(path.c_str(), report); });
}

Napi::Value machine(const Napi::CallbackInfo& info) {
  char* report = nullptr;
  const rushes_status status = rushes_machine(&report);
  if (status.code[0]) throw error_of(info.Env(), status);
  return take_report(info.Env(), report);
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const rushes_memory now = rushes_memory_now();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("totalBytes", static_cast<double>(now.total_bytes));
  out.Set("freeBytes", static_cast<double>(now.free_bytes));
  out.Set("residentBytes", static_cast<double>(now.resident_bytes));
  return out;
}

void release(const Napi::CallbackInfo&) { rushes_release(); }

Napi::Value self_test(const Napi::CallbackInfo& info) {
  const int threads = info[0].ToNumber().Int32Value();
  return start_call(info.Env(), Napi::Function(),
                    [=](Call&, char** report) { return rushes_self_test(threads, report); });
}

Napi::Value bench(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  const std::string filter = options.Get("filter").IsString() ? options.Get("filter").ToString().Utf8Value() : "";
  const int threads = options.Get("threads").IsNumber() ? options.Get("threads").ToNumber().Int32Value() : 0;
  const bool quick = options.Get("quick").ToBoolean();
  return start_call(info.Env(), info[1].As<Napi::Function>(), [=](Call& call, char** report) {
    const auto line = [](void* user, const char* text) {
      static_cast<Call*>(user)->emit(
          [text = std::string(text)](Napi::Env env) { return Napi::String::New(env, text); });
    };
    return rushes_bench(filter.c_str(), threads, quick, &call, line, report);
  });
}

Napi::Value bench_end_to_end(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto stringify = env.Global().Get("JSON").As<Napi::Object>().Get("stringify").As<Napi::Function>();
  const std::string options = stringify.Call({info[0]}).ToString();
  return start_call(env, info[1].As<Napi::Function>(), [=](Call& call, char** report) {
    const auto line = [](void* user, const char* text) {
      static_cast<Call*>(user)->emit(
          [text = std::string(text)](Napi::Env env) { return Napi::String::New(env, text); });
    };
    return rushes_bench_end_to_end(options.c_str(), &call, line, report);
  });
}

void keep_rates(const Napi::CallbackInfo& info) { rushes_keep_rates(info[0].ToString().Utf8Value().c_str()); }

Napi::Value echo(const Napi::CallbackInfo& info) {
  return echo_settings(info.Env(), read_settings(info[0].As<Napi::Object>()));
}

}  // namespace

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Model::define(env);
  exports.Set("openModel", Napi::Function::New<&Model::open>(env));
  exports.Set("inspect", Napi::Function::New<&inspect>(env));
  exports.Set("plan", Napi::Function::New<&Model::plan>(env));
  exports.Set("release", Napi::Function::New<&release>(env));
  exports.Set("memory", Napi::Function::New<&memory>(env));
  exports.Set("machine", Napi::Function::New<&machine>(env));
  exports.Set("selfTest", Napi::Function::New<&self_test>(env));
  exports.Set("bench", Napi::Function::New<&bench>(env));
  exports.Set("benchEndToEnd", Napi::Function::New<&bench_end_to_end>(env));
  exports.Set("keepRates", Napi::Function::New<&keep_rates>(env));
  exports.Set("decodeClip", Napi::Function::New<&decode_clip>(env));
  exports.Set("encodeVp9", Napi::Function::New<&encode_vp9>(env));
  exports.Set("echo", Napi::Function::New<&echo>(env));
  return exports;
}

}  // namespace rushes::binding

using rushes::binding::initialise;
NODE_API_MODULE(rushes, initialise)
