#include "peer/ggml_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <vector>

#include "runtime/status.h"

namespace rushes::peer {
namespace {

// The size of one node's and one tensor's bookkeeping is asked of the library; this is for a few of them.
constexpr size_t kTensors = 8;

struct InitParameters {
  size_t bytes;
  void* memory;
  bool no_data;
};

std::filesystem::path find_library(const std::filesystem::path& folder, const std::string& beginning) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(beginning, 0) == 0 && name.find(".so") != std::string::npos) return entry.path();
  }
  throw Error("engine.unavailable", "There is no " + beginning + "*.so in " + folder.string() + ".",
              "Unpack a prebuilt ggml there; docs/SPEED.md names one.");
}

void* open_library(const std::filesystem::path& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) throw Error("engine.unavailable", "The library cannot be loaded.", {}, dlerror());
  return library;
}

}  // namespace

struct Ggml::Functions {
  // ggml.h
  GgmlContext* (*init)(InitParameters);
  void (*free)(GgmlContext*);
  size_t (*tensor_overhead)();
  size_t (*graph_overhead)();
  size_t (*row_size)(int type, int64_t elements);
  GgmlTensor* (*new_tensor_2d)(GgmlContext*, int type, int64_t, int64_t);
  GgmlTensor* (*new_tensor_3d)(GgmlContext*, int type, int64_t, int64_t, int64_t);
  GgmlTensor* (*mul_mat)(GgmlContext*, GgmlTensor*, GgmlTensor*);
  GgmlTensor* (*flash_attn_ext)(GgmlContext*, GgmlTensor* q, GgmlTensor* k, GgmlTensor* v, GgmlTensor* mask,
                                float scale, float max_bias, float softcap);
  void* (*new_graph)(GgmlContext*);
  void (*build_forward_expand)(void* graph, GgmlTensor*);
  size_t (*quantize_chunk)(int type, const float* from, void* to, int64_t start, int64_t rows, int64_t columns,
                           const float* importance);
  void* (*get_data)(const GgmlTensor*);
  // ggml-backend.h
  void (*load_all_from_path)(const char*);
  void* (*dev_by_type)(int type);
  const char* (*dev_description)(void*);
  void* (*dev_backend_reg)(void*);
  void* (*dev_init)(void*, const char*);
  void* (*dev_buffer_type)(void*);
  bool (*dev_supports_op)(void*, const GgmlTensor*);
  void* (*reg_get_proc_address)(void*, const char*);
  void (*backend_free)(void*);
  void* (*alloc_ctx_tensors_from_buft)(GgmlContext*, void*);
  void (*buffer_free)(void*);
  void (*tensor_set)(GgmlTensor*, const void*, size_t offset, size_t bytes);
  int (*graph_compute)(void* backend, void* graph);
};

Ggml::Ggml(const std::string& folder, int threads) : call_(std::make_unique<Functions>()) {
  void* const base = open_library(find_library(folder, "libggml-base"));
  void* const registry = open_library(find_library(folder, "libggml."));
  const auto find = [](void* library, const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function) throw Error("engine.unavailable", std::string("This ggml has no ") + name + ".");
  };
  Functions& f = *call_;
  find(base, "ggml_init", f.init);
  find(base, "ggml_free", f.free);
  find(base, "ggml_tensor_overhead", f.tensor_overhead);
  find(base, "ggml_graph_overhead", f.graph_overhead);
  find(base, "ggml_row_size", f.row_size);
  find(base, "ggml_new_tensor_2d", f.new_tensor_2d);
  find(base, "ggml_new_tensor_3d", f.new_tensor_3d);
  find(base, "ggml_mul_mat", f.mul_mat);
  find(base, "ggml_flash_attn_ext", f.flash_attn_ext);
  find(base, "ggml_new_graph", f.new_graph);
  find(base, "ggml_build_forward_expand", f.build_forward_expand);
  find(base, "ggml_quantize_chunk", f.quantize_chunk);
  find(base, "ggml_get_data", f.get_data);
  find(registry, "ggml_backend_load_all_from_path", f.load_all_from_path);
  find(registry, "ggml_backend_dev_by_type", f.dev_by_type);
  find(base, "ggml_backend_dev_description", f.dev_description);
  find(base, "ggml_backend_dev_backend_reg", f.dev_backend_reg);
  find(base, "ggml_backend_dev_init", f.dev_init);
  find(base, "ggml_backend_dev_buffer_type", f.dev_buffer_type);
  find(base, "ggml_backend_dev_supports_op", f.dev_supports_op);
  find(base, "ggml_backend_reg_get_proc_address", f.reg_get_proc_address);
  find(base, "ggml_backend_free", f.backend_free);
  find(base, "ggml_backend_alloc_ctx_tensors_from_buft", f.alloc_ctx_tensors_from_buft);
  find(base, "ggml_backend_buffer_free", f.buffer_free);
  find(base, "ggml_backend_tensor_set", f.tensor_set);
  find(base, "ggml_backend_graph_compute", f.graph_compute);

  f.load_all_from_path(folder.c_str());
  constexpr int kCpu = 0;  // GGML_BACKEND_DEVICE_TYPE_CPU
  device_ = f.dev_by_type(kCpu);
  if (!device_) throw Error("engine.unavailable", "This ggml has no CPU backend for this machine.");
  backend_ = f.dev_init(device_, nullptr);
  buffer_type_ = f.dev_buffer_type(device_);
  void* const registration = f.dev_backend_reg(device_);
  const auto set_threads =
      reinterpret_cast<void (*)(void*, int)>(f.reg_get_proc_address(registration, "ggml_backend_set_n_threads"));
  if (!set_threads) throw Error("engine.unavailable", "This ggml's CPU backend takes no number of threads.");
  set_threads(backend_, threads);
  // Buffer types for weights, ended by null; on a CPU without AMX the only one is that of the repacked forms.
  const auto extra =
      reinterpret_cast<void** (*)(void*)>(f.reg_get_proc_address(registration, "ggml_backend_dev_get_extra_bufts"));
  if (void** types = extra ? extra(device_) : nullptr; types && types[0]) repacking_type_ = types[0];
  Dl_info library{};
  dladdr(reinterpret_cast<void*>(set_threads), &library);
  name_ = std::string(f.dev_description(device_)) + ", " +
          std::filesystem::path(library.dli_fname ? library.dli_fname : "?").filename().string();
}

Ggml::~Ggml() {
  if (backend_) call_->backend_free(backend_);
}

Ggml::Product::~Product() {
  const Functions& f = *library_.call_;
  if (operand_buffer_) f.buffer_free(operand_buffer_);
  if (weight_buffer_) f.buffer_free(weight_buffer_);
  if (operands_) f.free(operands_);
  if (weights_) f.free(weights_);
}

void Ggml::Product::compute() {
  if (library_.call_->graph_compute(library_.backend_, graph_) != 0)
    throw Error("engine.internal", "ggml did not compute its graph.");
}

std::span<const float> Ggml::Product::result() const {
  return {static_cast<const float*>(library_.call_->get_data(out_)), count_};
}

void Ggml::build(Product& product) {
  product.graph_ = call_->new_graph(product.operands_);
  call_->build_forward_expand(product.graph_, product.out_);
}

std::unique_ptr<Ggml::Product> Ggml::linear(GgmlType type, bool repack, std::span<const float> weight,
                                            std::span<const float> x, int64_t depth, int64_t outputs, int64_t rows) {
  const Functions& f = *call_;
  std::unique_ptr<Product> product(new Product(*this));
  product->weights_ = f.init({kTensors * f.tensor_overhead(), nullptr, true});
  product->operands_ = f.init({kTensors * f.tensor_overhead() + f.graph_overhead(), nullptr, true});
  GgmlTensor* const w = f.new_tensor_2d(product->weights_, static_cast<int>(type), depth, outputs);
  GgmlTensor* const in = f.new_tensor_2d(product->operands_, static_cast<int>(GgmlType::f32), depth, rows);
  product->out_ = f.mul_mat(product->operands_, w, in);
  product->count_ = static_cast<size_t>(outputs * rows);
  void* const repacking = repack ? repacking_type_ : nullptr;
  product->weight_buffer_ = f.alloc_ctx_tensors_from_buft(product->weights_, repacking ? repacking : buffer_type_);
  if (repacking && !f.dev_supports_op(device_, product->out_))
    return linear(type, false, weight, x, depth, outputs, rows);
  product->repacked_ = repacking != nullptr;
  product->operand_buffer_ = f.alloc_ctx_tensors_from_buft(product->operands_, buffer_type_);
  std::vector<std::byte> converted(f.row_size(static_cast<int>(type), depth) * static_cast<size_t>(outputs));
  f.quantize_chunk(static_cast<int>(type), weight.data(), converted.data(), 0, outputs, depth, nullptr);
  f.tensor_set(w, converted.data(), 0, converted.size());
  f.tensor_set(in, x.data(), 0, x.size_bytes());
  build(*product);
  return product;
}

std::unique_ptr<Ggml::Product> Ggml::attention(std::span<const float> q, std::span<const float> k,
                                               std::span<const float> v, int64_t size, int64_t queries, int64_t keys,
                                               int64_t heads, float scale) {
  const Functions& f = *call_;
  std::unique_ptr<Product> product(new Product(*this));
  product->operands_ = f.init({kTensors * f.tensor_overhead() + f.graph_overhead(), nullptr, true});
  constexpr int kHalf = static_cast<int>(GgmlType::f16);
  GgmlTensor* const query = f.new_tensor_3d(product->operands_, static_cast<int>(GgmlType::f32), size, queries, heads);
  GgmlTensor* const key = f.new_tensor_3d(product->operands_, kHalf, size, keys, heads);
  GgmlTensor* const value = f.new_tensor_3d(product->operands_, kHalf, size, keys, heads);
  product->out_ = f.flash_attn_ext(product->operands_, query, key, value, nullptr, scale, 0, 0);
  product->count_ = static_cast<size_t>(size * queries * heads);
  product->operand_buffer_ = f.alloc_ctx_tensors_from_buft(product->operands_, buffer_type_);
  f.tensor_set(query, q.data(), 0, q.size_bytes());
  std::vector<std::byte> halves(f.row_size(kHalf, size) * static_cast<size_t>(keys * heads));
  for (const auto& [tensor, from] : {std::pair{key, k}, std::pair{value, v}}) {
    f.quantize_chunk(kHalf, from.data(), halves.data(), 0, keys * heads, size, nullptr);
    f.tensor_set(tensor, halves.data(), 0, halves.size());
  }
  build(*product);
  return product;
}

}  // namespace rushes::peer
