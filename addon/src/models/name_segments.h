// Dotted tensor names taken apart at their dots. Renames match whole segments, never substrings: norm_k is a prefix of
// norm_k_img, and "proj" is part of many names.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights.h"

namespace rushes {

std::vector<std::string_view> name_segments(std::string_view name);
std::string join_segments(const std::vector<std::string_view>& segments, size_t first = 0);
/// The number a segment is; -1 when it is none of 0..9999.
int64_t segment_number(std::string_view segment);

/// The tensor by either name, or null: the first of `names` that the file has.
const TensorView* first_of(const StrippedNames& names, std::initializer_list<std::string_view> candidates);
/// Size of one axis (negative: from the end); 0 when the tensor is null or has no such axis.
int64_t axis_size(const TensorView* tensor, int axis);
/// Highest N of "<stem>.N." plus one, at most 512; 0 when there is none.
int64_t count_blocks(const StrippedNames& names, std::string_view stem);

/// to_original for a file in the other layout: the exact inverse of `to_other` over the expected names (int8 forms
/// included). A name outside of it is nothing.
ToOriginal inverse_renames(const std::vector<ExpectedTensor>& expected, std::string (*to_other)(std::string_view));
/// to_original for a file in the original layout.
ToOriginal same_names();

}  // namespace rushes
