#include "binding/call.h"

#include <thread>

#include "binding/engine_thread.h"

namespace rushes::binding {
namespace {

// Never destroyed: a process that exits in the middle of a job must not wait for it.
EngineThread& engine_thread() {
  static auto* thread = new EngineThread;
  return *thread;
}

}  // namespace

Napi::Error error_of(Napi::Env env, const rushes_status& status) {
  Napi::Error error = Napi::Error::New(env, status.sentence);
  error.Set("code", Napi::String::New(env, status.code));
  error.Set("advice", Napi::String::New(env, status.advice));
  error.Set("detail", Napi::String::New(env, status.detail));
  if (!status.needed_bytes) return error;
  error.Set("neededBytes", Napi::Number::New(env, static_cast<double>(status.needed_bytes)));
  error.Set("freeBytes", Napi::Number::New(env, static_cast<double>(status.free_bytes)));
  return error;
}

Napi::Value parse_report(Napi::Env env, const char* report) {
  const auto json = env.Global().Get("JSON").As<Napi::Object>();
  return json.Get("parse").As<Napi::Function>().Call(json, {Napi::String::New(env, report)});
}

Napi::Value take_report(Napi::Env env, char* report) {
  if (!report) return env.Undefined();
  const Napi::Value value = parse_report(env, report);
  rushes_string_free(report);
  return value;
}

Call::Call(Napi::Env env, Napi::Function on_event, Work work)
    : deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)) {
  if (!on_event.IsEmpty()) on_event_ = Napi::Persistent(on_event);
  to_javascript_ = Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                                                 "rushes call", 0, 1);
}

Napi::Promise Call::start() {
  engine_thread().post([self = shared_from_this()] { self->run(); });
  return deferred_.Promise();
}

Napi::Promise Call::start_beside() {
  // Detached: a process that exits in the middle of it must not wait for it.
  std::thread([self = shared_from_this()] { self->run(); }).detach();
  return deferred_.Promise();
}

void Call::run() {
  status_ = work_(*this, &report_);
  to_javascript_.BlockingCall([self = shared_from_this()](Napi::Env env, Napi::Function) { self->settle(env); });
  to_javascript_.Release();
}

void Call::emit(Event event) {
  if (on_event_.IsEmpty()) return;
  to_javascript_.BlockingCall([self = shared_from_this(), event = std::move(event)](Napi::Env env, Napi::Function) {
    Napi::HandleScope scope(env);
    self->on_event_.Call({event(env)});
  });
}

void Call::settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  work_ = {};
  if (status_.code[0])
    deferred_.Reject(error_of(env, status_).Value());
  else
    deferred_.Resolve(take_report(env, report_));
  on_event_.Reset();
}

}  // namespace rushes::binding
