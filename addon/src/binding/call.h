// One asynchronous call: work on the engine thread (or beside it), events to a JavaScript function, a promise for the
// end.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <string>

#include "rushes/engine.h"

namespace rushes::binding {

/// A JavaScript Error with `code`, `message` (the sentence), `advice`, `detail`, and, where bytes were short,
/// `neededBytes` and `freeBytes`.
Napi::Error error_of(Napi::Env env, const rushes_status& status);

/// A JSON report of the engine.
Napi::Value parse_report(Napi::Env env, const char* report);

/// Parses and frees a JSON report of the engine; undefined for null.
Napi::Value take_report(Napi::Env env, char* report);

/// Lives from the JavaScript call to its settled promise. Create with std::make_shared, then start(); or start_call().
class Call : public std::enable_shared_from_this<Call> {
 public:
  using Event = std::function<Napi::Value(Napi::Env)>;
  /// Fills *report with a JSON string of the engine (or leaves it null).
  using Work = std::function<rushes_status(Call&, char** report)>;

  /// `on_event` may be empty.
  Call(Napi::Env env, Napi::Function on_event, Work work);
  Napi::Promise start();
  /// The same on a thread of its own, beside what the engine thread does. For work that uses no OpenMP team.
  Napi::Promise start_beside();
  /// From any thread at work: hands an event to JavaScript, in order. Never throws, never waits.
  void emit(Event event);

 private:
  void run();
  void settle(Napi::Env env);

  Napi::Promise::Deferred deferred_;
  Napi::FunctionReference on_event_;
  Napi::ThreadSafeFunction to_javascript_;
  Work work_;
  rushes_status status_{};
  char* report_ = nullptr;
};

inline Napi::Promise start_call(Napi::Env env, Napi::Function on_event, Call::Work work) {
  return std::make_shared<Call>(env, on_event, std::move(work))->start();
}

/// For work of milliseconds that computes nothing and must not wait for a running generation.
inline Napi::Promise start_light_call(Napi::Env env, Call::Work work) {
  return std::make_shared<Call>(env, Napi::Function(), std::move(work))->start_beside();
}

}  // namespace rushes::binding
