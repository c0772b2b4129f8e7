#!/usr/bin/env bash
# Every row of docs/SPEED.md that comes from a program, in one go, on a machine that does nothing else:
#   speed-rows.sh BUILD_FOLDER [GGML_FOLDER]
# BUILD_FOLDER holds engine_bench (and engine_peer: ninja engine_peer); GGML_FOLDER the shared libraries of a prebuilt
# ggml, without which the comparison with it is left out and said to be. A whole clip is another command, printed last.
set -euo pipefail
build=${1:?speed-rows.sh BUILD_FOLDER [GGML_FOLDER]}
peer=${2:-}
export OMP_WAIT_POLICY=passive
bench=$build/engine_bench

heading() { printf '\n== %s  (%s s so far)\n' "$1" "$SECONDS"; }

heading "the whole table, all instructions of this CPU; $(uptime)"
"$bench"

has() { grep -qw "$1" /proc/cpuinfo; }
sets=(avx2)
has avx_vnni && sets+=(avxvnni)
has avx512f && sets+=(avx512)
has avx512_vnni && sets+=(avx512_vnni)
if has amx_tile && has avx512_bf16; then sets+=(avx512_bf16); fi
for isa in "${sets[@]}"; do
  heading "forced to $isa"
  for rows in 7800x1536x1536 7800x12x128 "3x3x3 96-96 832x480"; do
    "$bench" --isa "$isa" --filter "$rows" | grep -v '^ceiling\|threads,'
  done
done

if [[ -n $peer ]]; then
  heading "beside ggml, 7,800 tokens"
  "$build/engine_peer" "$peer" 2>/dev/null
else
  heading "no comparison with ggml: no folder given"
fi
heading "done; $(uptime)"
printf "%s\n" "A whole clip: $bench --end-to-end '{\"folder\": \"/somewhere with 11 GB\"}'"
