// Rows of f32 and bf16 numbers between global memory and registers, 16 bytes an instruction where their place allows
// it. For kernels that read every number once and do little with it; products have their own ways.
#pragma once
#include "cuda/device.h"

namespace rushes::cuda {

/// Element types of a row: how many fill 16 bytes, and their bits.
struct F32 {
  using Type = float;
  static constexpr int kInWords4 = 4;
};
struct Bf16 {
  using Type = uint16_t;
  static constexpr int kInWords4 = 8;
};

/// out = p[0 .. kCount) as f32. Where kCount is a multiple of what 16 bytes hold, p must lie on 16 bytes; else any
/// place will do and every element is a load of its own.
template <class Element, int kCount>
RUSHES_DEVICE void load_elements(float (&out)[kCount], const typename Element::Type* p) {
  constexpr int kStep = Element::kInWords4;
  if constexpr (kCount % kStep == 0) {
    for (int first = 0; first < kCount; first += kStep) {
      const Words4 words = *reinterpret_cast<const Words4*>(p + first);
      for (int i = 0; i < 4; ++i)
        if constexpr (kStep == 4) {
          out[first + i] = bits_float(words.word[i]);
        } else {
          out[first + 2 * i] = bf16_low(words.word[i]);
          out[first + 2 * i + 1] = bf16_high(words.word[i]);
        }
    }
  } else {
    for (int i = 0; i < kCount; ++i)
      if constexpr (kStep == 4)
        out[i] = p[i];
      else
        out[i] = from_bf16(p[i]);
  }
}

/// p[0 .. kCount) = x, rounded to the element's type. The same rule of places; four bf16 numbers take 8 bytes and must
/// lie on 8.
template <class Element, int kCount>
RUSHES_DEVICE void store_elements(typename Element::Type* p, const float (&x)[kCount]) {
  constexpr int kStep = Element::kInWords4;
  if constexpr (kCount % kStep == 0) {
    for (int first = 0; first < kCount; first += kStep) {
      Words4 words;
      for (int i = 0; i < 4; ++i)
        if constexpr (kStep == 4)
          words.word[i] = float_bits(x[first + i]);
        else
          words.word[i] = pack_bf16(x[first + 2 * i], x[first + 2 * i + 1]);
      *reinterpret_cast<Words4*>(p + first) = words;
    }
  } else if constexpr (kStep == 8 && kCount == 4) {
    *reinterpret_cast<Words2*>(p) = Words2{{pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3])}};
  } else {
    for (int i = 0; i < kCount; ++i)
      if constexpr (kStep == 4)
        p[i] = x[i];
      else
        p[i] = to_bf16(x[i]);
  }
}

}  // namespace rushes::cuda
