#include "models/umt5/umt5_tensors.h"

#include <algorithm>

#include "models/name_segments.h"

namespace rushes {
namespace {

// A quarter of them are distances of their own; from there to 128 they grow with the logarithm.
constexpr int64_t kMostBuckets = 508;
constexpr int64_t kLargestWidth = 1 << 16, kLargestVocabulary = 1 << 22;

struct Rename {
  std::string_view original, hugging_face;
};
/// Inside "blocks.N." and "encoder.block.N.layer.".
constexpr Rename kBlockRenames[] = {
    {"norm1.weight", "0.layer_norm.weight"},
    {"attn.q.weight", "0.SelfAttention.q.weight"},
    {"attn.k.weight", "0.SelfAttention.k.weight"},
    {"attn.v.weight", "0.SelfAttention.v.weight"},
    {"attn.o.weight", "0.SelfAttention.o.weight"},
    {"pos_embedding.embedding.weight", "0.SelfAttention.relative_attention_bias.weight"},
    {"norm2.weight", "1.layer_norm.weight"},
    {"ffn.gate.0.weight", "1.DenseReluDense.wi_0.weight"},
    {"ffn.fc1.weight", "1.DenseReluDense.wi_1.weight"},
    {"ffn.fc2.weight", "1.DenseReluDense.wo.weight"},
};

bool is_hugging_face(const StrippedNames& names) {
  return !first_of(names, {"token_embedding.weight"}) && count_blocks(names, "encoder.block") > 0;
}

/// The tensor of any block by its original name inside the block.
const TensorView* of_any_block(const StrippedNames& names, int64_t layers, const std::string& leaf) {
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "blocks." + std::to_string(i) + "." + leaf;
    if (const TensorView* found = first_of(names, {name, umt5_hugging_face_name(name)})) return found;
  }
  return nullptr;
}

}  // namespace

std::vector<ExpectedTensor> umt5_tensors(const Umt5Config& config) {
  const int64_t inner = config.heads * config.head_size;
  std::vector<ExpectedTensor> out;
  const auto add_linear = [&](const std::string& module, int64_t rows, int64_t columns) {
    out.push_back({.name = module + ".weight", .shape = {rows, columns}, .scalable = true});
  };
  out.push_back({"token_embedding.weight", {config.vocabulary, config.dim}});
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    out.push_back({block + "norm1.weight", {config.dim}});
    for (const char* part : {"q", "k", "v"}) add_linear(block + "attn." + part, inner, config.dim);
    add_linear(block + "attn.o", config.dim, inner);
    out.push_back({block + "pos_embedding.embedding.weight", {config.buckets, config.heads}});
    out.push_back({block + "norm2.weight", {config.dim}});
    add_linear(block + "ffn.gate.0", config.ffn, config.dim);
    add_linear(block + "ffn.fc1", config.ffn, config.dim);
    add_linear(block + "ffn.fc2", config.dim, config.ffn);
  }
  out.push_back({"norm.weight", {config.dim}});
  return out;
}

std::string umt5_hugging_face_name(std::string_view original) {
  if (original == "token_embedding.weight") return "shared.weight";
  if (original == "norm.weight") return "encoder.final_layer_norm.weight";
  const std::vector<std::string_view> segments = name_segments(original);
  if (segments.size() > 2 && segments[0] == "blocks") {
    const std::string leaf = join_segments(segments, 2);
    for (const auto& [from, to] : kBlockRenames)
      if (leaf == from) return "encoder.block." + std::string(segments[1]) + ".layer." + std::string(to);
  }
  return std::string(original);
}

std::optional<Family::Detected> detect_umt5(const StrippedNames& names) {
  const bool hugging_face = is_hugging_face(names);
  const int64_t layers = count_blocks(names, hugging_face ? "encoder.block" : "blocks");
  const TensorView* gate = of_any_block(names, layers, "ffn.gate.0.weight");
  const TensorView* table = of_any_block(names, layers, "pos_embedding.embedding.weight");
  const TensorView* query = of_any_block(names, layers, "attn.q.weight");
  if ((gate != nullptr) + (table != nullptr) + (query != nullptr) < 2) return std::nullopt;

  const TensorView* embedding =
      first_of(names, {"token_embedding.weight", "shared.weight", "encoder.embed_tokens.weight"});
  Umt5Config config;
  config.layers = layers;
  config.dim = embedding ? axis_size(embedding, 1) : axis_size(query ? query : gate, 1);
  config.vocabulary = axis_size(embedding, 0);
  config.ffn = axis_size(gate, 0);
  config.buckets = axis_size(table, 0);
  config.heads = axis_size(table, 1);
  const int64_t inner = axis_size(query, 0);
  config.head_size = config.heads > 0 ? inner / config.heads : 0;

  Family::Detected out;
  const bool xxl = config.dim == 4096 && config.layers == 24 && config.heads == 64 && config.ffn == 10240;
  out.architecture = xxl ? "umT5-XXL encoder"
                         : "umT5 encoder, " + std::to_string(layers) + " layers of width " + std::to_string(config.dim);
  out.sizes = {{"dim", config.dim},        {"heads", config.heads},   {"headSize", config.head_size},
               {"ffn", config.ffn},        {"layers", config.layers}, {"vocabulary", config.vocabulary},
               {"buckets", config.buckets}};
  out.uses = {"encoding prompts for Wan models"};
  const auto out_of_range = [](int64_t size) { return size < 0 || size > kLargestWidth; };
  if (out_of_range(config.dim) || out_of_range(config.ffn) || out_of_range(config.heads) ||
      out_of_range(config.buckets) || out_of_range(inner) || config.vocabulary > kLargestVocabulary) {
    out.refused = "its sizes are beyond any umT5";
  } else {
    out.expected = umt5_tensors(config);
    const std::string last = "blocks." + std::to_string(layers - 1) + ".pos_embedding.embedding.weight";
    if (layers > 1 && !first_of(names, {last, umt5_hugging_face_name(last)}) &&
        first_of(names, {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"})) {
      out.architecture = "T5 encoder, " + std::to_string(layers) + " layers of width " + std::to_string(config.dim);
      out.refused = "it is a T5 encoder (one position table for all layers), and Wan needs umT5 (one for each)";
      out.uses = {};
    } else if (config.heads == 0 || inner % std::max<int64_t>(config.heads, 1) != 0) {
      if (table && query) out.refused = "its attention width is not a multiple of its number of heads";
    } else if (config.buckets % 4 != 0 || config.buckets < 4 || config.buckets > kMostBuckets) {
      out.refused = "it has " + std::to_string(config.buckets) +
                    " position buckets, where umT5 has a multiple of four up to " + std::to_string(kMostBuckets);
    }
  }
  const ToOriginal rename = hugging_face ? inverse_renames(out.expected, umt5_hugging_face_name) : same_names();
  // A Hugging Face file may list the embedding twice, and ComfyUI puts the tokenizer's model beside the weights.
  const bool has_shared = first_of(names, {"shared.weight"}) != nullptr;
  out.to_original = [rename, has_shared, hugging_face](std::string_view name) -> std::optional<std::string> {
    if (name == "spiece_model") return "";
    if (hugging_face && name == "encoder.embed_tokens.weight") return has_shared ? "" : "token_embedding.weight";
    return rename(name);
  };
  return out;
}

Umt5Config umt5_config(const OpenedWeights& opened) {
  const Family::Detected& detected = opened.detected;
  Umt5Config out;
  out.dim = detected.size("dim");
  out.heads = detected.size("heads");
  out.head_size = detected.size("headSize");
  out.ffn = detected.size("ffn");
  out.layers = detected.size("layers");
  out.vocabulary = detected.size("vocabulary");
  out.buckets = detected.size("buckets");
  return out;
}

}  // namespace rushes
