#include "binding/media.h"

#include <atomic>
#include <memory>
#include <vector>

#include "binding/call.h"
#include "rushes/media.h"

namespace rushes::binding {
namespace {

// What a call works on, away from JavaScript's memory. Lives as long as its longest holder.
struct Job {
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<rushes_access_unit> units;
  int width = 0, height = 0;
  std::atomic<bool> cancelled = false;

  rushes_clip clip() const { return {units.data(), units.size(), width, height}; }
};

std::shared_ptr<Job> read_clip(const Napi::Value& value) {
  auto job = std::make_shared<Job>();
  const auto clip = value.As<Napi::Object>();
  job->width = clip.Get("width").ToNumber().Int32Value();
  job->height = clip.Get("height").ToNumber().Int32Value();
  const auto packets = clip.Get("packets").As<Napi::Array>();
  for (uint32_t i = 0; i < packets.Length(); ++i) {
    const Napi::Value packet = packets.Get(i);
    if (!packet.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "packets must be Uint8Arrays");
    const auto array = packet.As<Napi::Uint8Array>();
    job->bytes.emplace_back(array.Data(), array.Data() + array.ByteLength());
  }
  for (const auto& unit : job->bytes) job->units.push_back({unit.data(), unit.size()});
  return job;
}

struct Target {
  Call& call;
  const Job& job;
};

rushes_callbacks callbacks_of(Target& target) {
  rushes_callbacks c{};
  c.user = &target;
  c.frame = [](void* user, int64_t frame, const uint8_t* rgb, int width, int height) {
    std::vector<uint8_t> pixels(rgb, rgb + static_cast<size_t>(width) * height * 3);
    static_cast<Target*>(user)->call.emit([=, pixels = std::move(pixels)](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "frame");
      event.Set("frame", static_cast<double>(frame));
      event.Set("rgb", Napi::Buffer<uint8_t>::Copy(env, pixels.data(), pixels.size()));
      return event;
    });
  };
  c.packet = [](void* user, const uint8_t* data, size_t size, int key, int64_t frame) {
    static_cast<Target*>(user)->call.emit([=, bytes = std::vector<uint8_t>(data, data + size)](Napi::Env env) {
      Napi::Object event = Napi::Object::New(env);
      event.Set("kind", "packet");
      event.Set("data", Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size()));
      event.Set("keyFrame", key != 0);
      event.Set("frame", static_cast<double>(frame));
      return event;
    });
  };
  c.cancelled = [](void* user) -> int { return static_cast<Target*>(user)->job.cancelled.load(); };
  return c;
}

// Runs beside whatever the engine computes.
template <class Work>
Napi::Value start(const Napi::CallbackInfo& info, std::shared_ptr<Job> job, Work work) {
  const auto run = [job, work](Call& call, char**) {
    Target target{call, *job};
    const rushes_callbacks callbacks = callbacks_of(target);
    return work(job->clip(), callbacks);
  };
  Napi::Object started = Napi::Object::New(info.Env());
  started.Set("done", std::make_shared<Call>(info.Env(), info[2].As<Napi::Function>(), run)->start_beside());
  started.Set("cancel",
              Napi::Function::New(info.Env(), [job](const Napi::CallbackInfo&) { job->cancelled.store(true); }));
  return started;
}

}  // namespace

Napi::Value decode_clip(const Napi::CallbackInfo& info) {
  const int64_t asked = info[1].ToNumber().Int64Value();
  const auto first = static_cast<size_t>(asked < 0 ? 0 : asked);
  return start(info, read_clip(info[0]), [=](const rushes_clip& clip, const rushes_callbacks& callbacks) {
    return rushes_decode_clip(&clip, first, &callbacks);
  });
}

Napi::Value encode_vp9(const Napi::CallbackInfo& info) {
  const auto object = info[1].As<Napi::Object>();
  rushes_vp9_settings settings{};
  settings.frame_rate = object.Get("frameRate").ToNumber().DoubleValue();
  settings.quality = object.Get("quality").ToNumber().Int32Value();
  settings.threads = object.Get("threads").IsNumber() ? object.Get("threads").ToNumber().Int32Value() : 0;
  return start(info, read_clip(info[0]), [=](const rushes_clip& clip, const rushes_callbacks& callbacks) {
    return rushes_encode_vp9(&clip, &settings, &callbacks);
  });
}

}  // namespace rushes::binding
