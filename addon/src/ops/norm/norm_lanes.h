// The norm kernels over Lanes, written once: norm_avx2.cpp and norm_avx512.cpp include it after their Lanes. A row
// stays in the first-level cache between its passes. Internal linkage throughout.
#pragma once
#include "ops/norm/norm_rows.h"

namespace {

using rushes::NormRows;

struct F32Elements {
  using Type = float;
  static Lanes load(const float* p) { return Lanes::load(p); }
  static void store(float* p, Lanes x) { x.store(p); }
  static float get(const float* p) { return *p; }
  static void put(float* p, float x) { *p = x; }
};

struct Bf16Elements {
  using Type = uint16_t;
  static Lanes load(const uint16_t* p) { return Lanes::load_bf16(p); }
  static void store(uint16_t* p, Lanes x) { x.store_bf16(p); }
  static float get(const uint16_t* p) {
    const uint32_t bits = static_cast<uint32_t>(*p) << 16;
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
  }
  static void put(uint16_t* p, float x) {
    uint16_t row[Lanes::kCount];
    Lanes::all(x).store_bf16(row);
    *p = row[0];
  }
};

inline Lanes to_bf16(Lanes x) {
  uint16_t row[Lanes::kCount];
  x.store_bf16(row);
  return Lanes::load_bf16(row);
}
inline float to_bf16(float x) {
  uint16_t bits;
  Bf16Elements::put(&bits, x);
  return Bf16Elements::get(&bits);
}

// x * inverse * weight, for registers and for single numbers.
template <class Number>
Number weighted(Number x, Number inverse, Number weight, bool round_each) {
  if (round_each) return to_bf16(to_bf16(x * inverse) * weight);
  return x * inverse * weight;
}

// mean((x - center)^2), or mean(x) when `power` is 1.
template <int power, class Element>
float mean_of(const typename Element::Type* x, int64_t width, float center) {
  Lanes first = Lanes::all(0), second = first;
  const Lanes c = Lanes::all(center);
  int64_t i = 0;
  for (; i + 2 * Lanes::kCount <= width; i += 2 * Lanes::kCount) {
    const Lanes a = Element::load(x + i) - c, b = Element::load(x + i + Lanes::kCount) - c;
    first = power == 2 ? fused(a, a, first) : first + a;
    second = power == 2 ? fused(b, b, second) : second + b;
  }
  float sum = (first + second).sum();
  for (; i < width; ++i) {
    const float d = Element::get(x + i) - center;
    sum += power == 2 ? d * d : d;
  }
  return sum / static_cast<float>(width);
}

template <class In, class Out>
void layer_norm_rows(const NormRows& rows, int64_t begin, int64_t end) {
  const int64_t width = rows.width;
  for (int64_t r = begin; r < end; ++r) {
    const auto* x = static_cast<const typename In::Type*>(rows.x) + r * width;
    auto* out = static_cast<typename Out::Type*>(rows.out) + r * width;
    const float mean = mean_of<1, In>(x, width, 0);
    const float inverse = 1 / __builtin_sqrtf(mean_of<2, In>(x, width, mean) + rows.epsilon);
    const Lanes m = Lanes::all(mean), s = Lanes::all(inverse);
    int64_t i = 0;
    for (; i + Lanes::kCount <= width; i += Lanes::kCount) {
      const Lanes normal = (In::load(x + i) - m) * s;
      Out::store(out + i, fused(normal, Lanes::load(rows.scale + i), Lanes::load(rows.shift + i)));
    }
    for (; i < width; ++i) Out::put(out + i, (In::get(x + i) - mean) * inverse * rows.scale[i] + rows.shift[i]);
  }
}

template <class In, class Out>
void rms_norm_rows(const NormRows& rows, int64_t begin, int64_t end) {
  const int64_t width = rows.width;
  for (int64_t r = begin; r < end; ++r) {
    const auto* x = static_cast<const typename In::Type*>(rows.x) + r * width;
    auto* out = static_cast<typename Out::Type*>(rows.out) + r * width;
    const float inverse = 1 / __builtin_sqrtf(mean_of<2, In>(x, width, 0) + rows.epsilon);
    const Lanes s = Lanes::all(inverse);
    int64_t i = 0;
    for (; i + Lanes::kCount <= width; i += Lanes::kCount)
      Out::store(out + i, weighted(In::load(x + i), s, Lanes::load(rows.scale + i), rows.round_each));
    for (; i < width; ++i) Out::put(out + i, weighted(In::get(x + i), inverse, rows.scale[i], rows.round_each));
  }
}

template <class In, class Out>
void rms_norm_rotary_rows(const NormRows& rows, int64_t begin, int64_t end) {
  const int64_t width = rows.width, head = rows.head_size;
  for (int64_t r = begin; r < end; ++r) {
    const auto* x = static_cast<const typename In::Type*>(rows.x) + r * width;
    auto* out = static_cast<typename Out::Type*>(rows.out) + r * width;
    const float *cosine = rows.cosine + r * head / 2, *sine = rows.sine + r * head / 2;
    const float inverse = 1 / __builtin_sqrtf(mean_of<2, In>(x, width, 0) + rows.epsilon);
    const Lanes s = Lanes::all(inverse);
    for (int64_t h = 0; h < width; h += head) {
      int64_t i = 0;
      for (; i + Lanes::kCount <= head; i += Lanes::kCount) {
        const Lanes normal = weighted(In::load(x + h + i), s, Lanes::load(rows.scale + h + i), rows.round_each);
        Out::store(out + h + i, normal.rotated(Lanes::load_twice(cosine + i / 2), Lanes::load_twice(sine + i / 2)));
      }
      for (; i < head; i += 2) {
        const float a = weighted(In::get(x + h + i), inverse, rows.scale[h + i], rows.round_each);
        const float b = weighted(In::get(x + h + i + 1), inverse, rows.scale[h + i + 1], rows.round_each);
        Out::put(out + h + i, a * cosine[i / 2] - b * sine[i / 2]);
        Out::put(out + h + i + 1, a * sine[i / 2] + b * cosine[i / 2]);
      }
    }
  }
}

// The same kernel for the four pairs of element types.
#define RUSHES_FOR_ELEMENT_TYPES(kernel, rows, begin, end) \
  if (rows.x_bf16 && rows.out_bf16)                        \
    kernel<Bf16Elements, Bf16Elements>(rows, begin, end);  \
  else if (rows.x_bf16)                                    \
    kernel<Bf16Elements, F32Elements>(rows, begin, end);   \
  else if (rows.out_bf16)                                  \
    kernel<F32Elements, Bf16Elements>(rows, begin, end);   \
  else                                                     \
    kernel<F32Elements, F32Elements>(rows, begin, end)

}  // namespace
