#include "binding/model.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "binding/loras.h"
#include "binding/settings.h"

namespace rushes::binding {
namespace {

struct Constructor {
  Napi::FunctionReference model;
};

rushes_status status_of(const char* code, const char* sentence) {
  rushes_status status{};
  std::strncpy(status.code, code, sizeof status.code - 1);
  std::strncpy(status.sentence, sentence, sizeof status.sentence - 1);
  return status;
}

std::optional<std::string> optional_text(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined() || value.IsNull()) return {};
  return value.ToString().Utf8Value();
}

const char* pointer(const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; }

bool is_array_of(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

std::vector<int32_t> tokens_of(const Napi::Object& request) {
  const Napi::Value value = request.Get("ids");
  if (!is_array_of(value, napi_int32_array)) throw Napi::TypeError::New(request.Env(), "ids must be an Int32Array.");
  const auto ids = value.As<Napi::Int32Array>();
  // The engine says how many a model takes; more than any does are not copied first.
  constexpr size_t kMost = 1 << 20;
  if (ids.ElementLength() > kMost)
    throw error_of(request.Env(), status_of("settings.invalid", "The prompt has more tokens than any model takes."));
  return {ids.Data(), ids.Data() + ids.ElementLength()};
}

// The first picture, empty when there is none. One that is not of the video's size is refused before it is copied.
std::vector<uint8_t> picture_of(const Napi::Object& request, const rushes_settings& settings) {
  const Napi::Value value = request.Get("image");
  if (value.IsUndefined() || value.IsNull()) return {};
  if (!is_array_of(value, napi_uint8_array)) throw Napi::TypeError::New(request.Env(), "image must be a Uint8Array.");
  const auto bytes = value.As<Napi::Uint8Array>();
  // Not yet checked, so perhaps of more bytes than an integer counts.
  const double expected = static_cast<double>(settings.width) * static_cast<double>(settings.height) * 3;
  if (static_cast<double>(bytes.ByteLength()) != expected)
    throw error_of(request.Env(), status_of("settings.invalid", "The picture is not of the video's size."));
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

int start_step_of(const Napi::Object& request) {
  const Napi::Value value = request.Get("startStep");
  if (value.IsUndefined() || value.IsNull()) return 0;
  const double step = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(std::floor(step) == step && std::abs(step) <= 1e9))
    throw Napi::TypeError::New(request.Env(), "startStep must be a whole number.");
  return static_cast<int>(step);
}

Napi::Function listener_of(const Napi::Value& value) {
  if (!value.IsFunction()) throw Napi::TypeError::New(value.Env(), "onEvent must be a function.");
  return value.As<Napi::Function>();
}

// The files of a model as JavaScript names them (app/engine/addon.ts, ModelFiles).
struct FileNames {
  std::string dit, vae, text_encoder;
  int text_length;
  std::optional<std::string> dit_low;
  explicit FileNames(const Napi::Object& files)
      : dit(files.Get("dit").ToString()),
        vae(files.Get("vae").ToString()),
        text_encoder(files.Get("textEncoder").ToString()),
        text_length(files.Get("textLength").ToNumber().Int32Value()),
        dit_low(optional_text(files, "ditLow")) {}
  rushes_model_files pointers() const {
    return {dit.c_str(), vae.c_str(), text_encoder.c_str(), text_length, pointer(dit_low)};
  }
};

// Turns the engine's callbacks into JavaScript events (app/engine/addon.ts, EngineEvent).
class Events {
 public:
  Events(Call& call, const std::atomic<bool>& cancelled, const std::atomic<bool>& kept, bool previews)
      : call_(call), cancelled_(cancelled), kept_(kept), previews_(previews) {}

  rushes_callbacks callbacks() {
    rushes_callbacks c{};
    c.user = this;
    c.planned = [](void* user, const char* plan) { static_cast<Events*>(user)->planned(plan); };
    c.progress = [](void* user, rushes_stage stage, double fraction, int step, int steps) {
      static_cast<Events*>(user)->progress(stage, fraction, step, steps);
    };
    c.log = [](void* user, int level, const char* line) { static_cast<Events*>(user)->log(level, line); };
    if (previews_)
      c.preview = [](void* user, int step, const uint8_t* rgb, int width, int height, int approximate) {
        static_cast<Events*>(user)->picture(rgb, width, height, [=](Napi::Object event) {
          event.Set("kind", "preview");
          event.Set("step", step);
          event.Set("approximate", approximate != 0);
        });
      };
    c.stage_ended = [](void* user, rushes_stage stage, double seconds, uint64_t peak_bytes, int finished) {
      static_cast<Events*>(user)->stage_ended(stage, seconds, peak_bytes, finished != 0);
    };
    c.packet = [](void* user, const uint8_t* data, size_t size, int key, int64_t frame) {
      static_cast<Events*>(user)->packet({data, data + size}, key != 0, frame);
    };
    c.frame = [](void* user, int64_t frame, const uint8_t* rgb, int width, int height) {
      if (frame == 0)
        static_cast<Events*>(user)->picture(rgb, width, height,
                                            [](Napi::Object event) { event.Set("kind", "poster"); });
    };
    c.cancelled = [](void* user) -> int { return static_cast<Events*>(user)->cancelled_.load(); };
    c.keep = [](void* user) -> int { return static_cast<Events*>(user)->kept_.load(); };
    return c;
  }

 private:
  // A bar needs no more than 20 updates a second; the ends of stages and steps always pass.
  void progress(rushes_stage stage, double fraction, int step, int steps) {
    const auto now = std::chrono::steady_clock::now();
    if (fraction > 0 && fraction < 1 && now - last_ < std::chrono::milliseconds(50)) return;
    last_ = now;
    call_.emit([=](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "progress");
      event.Set("stage", rushes_stage_name(stage));
      event.Set("fraction", fraction);
      event.Set("step", step);
      event.Set("steps", steps);
      return event;
    });
  }

  void planned(const char* plan) {
    call_.emit([text = std::string(plan)](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "plan");
      event.Set("plan", parse_report(env, text.c_str()));
      return event;
    });
  }

  void log(int level, const char* line) {
    call_.emit([level, text = std::string(line)](Napi::Env env) {
      constexpr const char* levels[] = {"debug", "info", "warning"};
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "log");
      event.Set("level", levels[level]);
      event.Set("line", text);
      return event;
    });
  }

  void stage_ended(rushes_stage stage, double seconds, uint64_t peak_bytes, bool finished) {
    call_.emit([=](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "stage");
      event.Set("stage", rushes_stage_name(stage));
      event.Set("seconds", seconds);
      event.Set("peakBytes", static_cast<double>(peak_bytes));
      event.Set("finished", finished);
      return event;
    });
  }

  // `describe` adds what is not picture.
  void picture(const uint8_t* rgb, int width, int height, std::function<void(Napi::Object)> describe) {
    std::vector<uint8_t> pixels(rgb, rgb + static_cast<size_t>(width) * height * 3);
    call_.emit([=, pixels = std::move(pixels), describe = std::move(describe)](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      describe(event);
      event.Set("rgb", Napi::Buffer<uint8_t>::Copy(env, pixels.data(), pixels.size()));
      event.Set("width", width);
      event.Set("height", height);
      return event;
    });
  }

  void packet(std::vector<uint8_t> data, bool key_frame, int64_t frame) {
    call_.emit([=, data = std::move(data)](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "packet");
      event.Set("data", Napi::Buffer<uint8_t>::Copy(env, data.data(), data.size()));
      event.Set("keyFrame", key_frame);
      event.Set("frame", static_cast<double>(frame));
      return event;
    });
  }

  Call& call_;
  const std::atomic<bool>&cancelled_, &kept_;
  bool previews_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace

void Model::define(Napi::Env env) {
  const Napi::Function function =
      DefineClass(env, "AddonModel",
                  {InstanceMethod<&Model::generate>("generate"), InstanceMethod<&Model::decode>("decode"),
                   InstanceMethod<&Model::cancel>("cancel"), InstanceMethod<&Model::keep>("keep"),
                   InstanceMethod<&Model::held_bytes>("heldBytes"), InstanceMethod<&Model::close>("close")});
  env.SetInstanceData(new Constructor{Napi::Persistent(function)});
}

Napi::Value Model::open(const Napi::CallbackInfo& info) {
  const FileNames files(info[0].As<Napi::Object>());
  const rushes_model_files paths = files.pointers();
  rushes_model* model = nullptr;
  // Headers only: a few milliseconds, so no thread is needed; the promise keeps the door open for one.
  const rushes_status status = rushes_model_open(&paths, &model);
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  if (status.code[0]) {
    deferred.Reject(error_of(info.Env(), status).Value());
  } else {
    const Napi::Object object = info.Env().GetInstanceData<Constructor>()->model.New({});
    Unwrap(object)->model_ = std::shared_ptr<rushes_model>(model, rushes_model_close);
    deferred.Resolve(object);
  }
  return deferred.Promise();
}

Model::Model(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Model>(info) {}

std::shared_ptr<rushes_model> Model::handle(Napi::Env env, bool idle) {
  if (!model_) throw error_of(env, status_of("engine.closed", "The model was closed."));
  if (idle && state_->running) throw error_of(env, status_of("engine.busy", "The model is working on another job."));
  return model_;
}

Napi::Value Model::plan(const Napi::CallbackInfo& info) {
  const FileNames files(info[0].As<Napi::Object>());
  const rushes_settings settings = read_settings(info[1].As<Napi::Object>());
  const auto id_count = static_cast<size_t>(info[2].ToNumber().Int64Value());
  const std::shared_ptr<rushes_model> warm = info[3].IsObject() ? Unwrap(info[3].As<Napi::Object>())->model_ : nullptr;
  const LoraList loras(info[4]);
  return start_light_call(info.Env(), [=](Call&, char** report) {
    const rushes_model_files paths = files.pointers();
    const std::vector<rushes_lora> list = loras.pointers();
    return rushes_plan(&paths, warm.get(), &settings, id_count, list.data(), list.size(), report);
  });
}

// The model is busy from when nothing can fail any more until the work is done.
Napi::Value Model::start_exclusive(Napi::Env env, Napi::Function on_event, Call::Work work) {
  const auto call =
      std::make_shared<Call>(env, on_event, [state = state_, work = std::move(work)](Call& running, char** report) {
        const rushes_status status = work(running, report);
        state->running = false;
        return status;
      });
  state_->begin();
  return call->start();
}

Napi::Value Model::generate(const Napi::CallbackInfo& info) {
  const auto model = handle(info.Env(), true);
  const auto request = info[0].As<Napi::Object>();
  const rushes_settings settings = read_settings(request.Get("settings").As<Napi::Object>());
  const std::vector<int32_t> tokens = tokens_of(request);
  const auto embedding = optional_text(request, "embeddingPath"), latents = optional_text(request, "latentsPath"),
             prefix = optional_text(request, "stepLatentsPrefix"), resume = optional_text(request, "resumePath");
  const int start_step = start_step_of(request);
  const bool previews = request.Get("preview").ToBoolean();
  const std::vector<uint8_t> image = picture_of(request, settings);
  const LoraList loras(request.Get("loras"));
  return start_exclusive(info.Env(), listener_of(info[1]), [=, state = state_](Call& call, char** report) {
    Events events(call, state->cancelled, state->kept, previews);
    const rushes_callbacks callbacks = events.callbacks();
    const std::vector<rushes_lora> list = loras.pointers();
    const rushes_request job{
        .settings = settings,
        .ids = tokens.data(),
        .id_count = tokens.size(),
        .embedding_path = pointer(embedding),
        .latents_path = pointer(latents),
        .step_latents_prefix = pointer(prefix),
        .resume_path = pointer(resume),
        .start_step = start_step,
        .image = image.empty() ? nullptr : image.data(),
        .image_bytes = image.size(),
        .loras = list.data(),
        .lora_count = list.size(),
    };
    return rushes_generate(model.get(), &job, &callbacks, report);
  });
}

Napi::Value Model::decode(const Napi::CallbackInfo& info) {
  const auto model = handle(info.Env(), true);
  const std::string latents = info[0].ToString();
  const rushes_settings settings = read_settings(info[1].As<Napi::Object>());
  return start_exclusive(info.Env(), listener_of(info[2]), [=, state = state_](Call& call, char** report) {
    Events events(call, state->cancelled, state->kept, false);
    const rushes_callbacks callbacks = events.callbacks();
    return rushes_decode(model.get(), latents.c_str(), &settings, &callbacks, report);
  });
}

void Model::cancel(const Napi::CallbackInfo&) { state_->cancelled = true; }

void Model::keep(const Napi::CallbackInfo&) { state_->kept = true; }

Napi::Value Model::held_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), model_ ? static_cast<double>(rushes_model_bytes(model_.get())) : 0);
}

void Model::close(const Napi::CallbackInfo&) {
  state_->cancelled = true;
  model_.reset();  // a running call holds its own share until it ends
}

}  // namespace rushes::binding
