// The model object JavaScript holds (app/engine/addon.ts, AddonModel).
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>

#include "binding/call.h"
#include "rushes/engine.h"

namespace rushes::binding {

class Model : public Napi::ObjectWrap<Model> {
 public:
  static void define(Napi::Env env);
  /// A promise for a Model over the given files.
  static Napi::Value open(const Napi::CallbackInfo& info);
  /// A promise for the plan of a job of the given files (Addon.plan).
  static Napi::Value plan(const Napi::CallbackInfo& info);
  explicit Model(const Napi::CallbackInfo& info);

 private:
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value decode(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  void keep(const Napi::CallbackInfo& info);
  Napi::Value held_bytes(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  Napi::Value start_exclusive(Napi::Env env, Napi::Function on_event, Call::Work work);
  /// The open model, or a thrown Error engine.closed / engine.busy.
  std::shared_ptr<rushes_model> handle(Napi::Env env, bool idle);

  std::shared_ptr<rushes_model> model_;
  // Shared with the running call, which may outlive this object's wrapper.
  struct State {
    std::atomic<bool> running = false, cancelled = false, kept = false;
    void begin() {
      running = true;
      cancelled = kept = false;
    }
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace rushes::binding
