#!/usr/bin/env bash
# Everything that wants a real graphics card, in one call of ten minutes: builds engine_tests and engine_bench for the card
# at hand, runs every kernel check and all golden cases on it, and times each operation against the card's own ceilings.
#   run.sh BUILD_FOLDER [OUT_FOLDER]
# OUT_FOLDER (default: BUILD_FOLDER/gpu) gets checks.log, golden.log, bench.txt, bench.json, kernels.txt and summary.txt.
# Needs nvcc, CMake, Ninja and a C++20 compiler; no Node. Where the system has no nlohmann-json and doctest, RUSHES_PREFIX
# names a folder laid out like /usr with include/nlohmann, include/doctest and share/cmake/nlohmann_json. RUSHES_SECONDS
# limits the whole run (default 570).
# Ends with 0 where all is right, with 77 where there is no GPU ("skipped: no GPU"), else with 1.
set -uo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:?run.sh BUILD_FOLDER [OUT_FOLDER]}
out=${2:-$build/gpu}
limit=${RUSHES_SECONDS:-570}
mkdir -p "$build" "$out"
export OMP_WAIT_POLICY=passive PATH=$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin
failed=0
left() { echo $((limit - SECONDS)); }
# part NAME SECONDS COMMAND...: runs it within the time that is left, its output to a log and its last lines to the screen.
part() {
  local name=$1 most=$2 begin=$SECONDS code
  shift 2
  [[ $(left) -lt $most ]] && most=$(left)
  if [[ $most -lt 5 ]]; then
    echo "$name: left out, no time was left" | tee -a "$out/summary.txt"
    failed=1
    return 1
  fi
  timeout "$most" "$@" >"$out/$name.log" 2>&1
  code=$?
  if [[ $code -eq 0 ]]; then
    echo "$name: ok, $((SECONDS - begin)) s" | tee -a "$out/summary.txt"
  else
    echo "$name: FAILED ($code$([[ $code -eq 124 ]] && echo ', ran out of time')), $((SECONDS - begin)) s" | tee -a "$out/summary.txt"
    tail -n 25 "$out/$name.log"
    failed=1
  fi
  return $code
}

: >"$out/summary.txt"
if ! command -v nvidia-smi >/dev/null || ! capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1) ||
  [[ ! $capability =~ ^[0-9]+\.[0-9]+$ ]]; then
  echo "skipped: no GPU" | tee "$out/summary.txt"
  exit 77
fi
architecture=${capability/./}
[[ $architecture == 90 ]] && architecture=90a # wgmma is in no other target
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader | tee -a "$out/summary.txt"

prefix=()
[[ -n ${RUSHES_PREFIX:-} ]] && prefix=(-DCMAKE_PREFIX_PATH="$RUSHES_PREFIX")
part configure 60 cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DRUSHES_CUDA=ON \
  -DRUSHES_CUDA_ARCHITECTURES="$architecture" "${prefix[@]}" || exit 1
part build 300 ninja -C "$build" engine_tests engine_bench || exit 1

# Right first: every entry of every operation's table that this card can run, then the stages' golden cases.
part checks 90 "$build/engine_tests" -tc='*kernel*,*card*,*GPU*'
part golden 100 "$build/engine_tests" golden --cuda "$root/test/golden"
tail -n 1 "$out/golden.log" | tee -a "$out/summary.txt"
# The driver shows a card: a program that does not see it has proven nothing.
unseen() {
  echo "$1: FAILED, it ran nothing on the card" | tee -a "$out/summary.txt"
  failed=1
}
tail -n 1 "$out/golden.log" | grep -q '^[1-9][0-9]* passed' || unseen golden

# Then fast. The benchmark keeps to its own time and names the rows it had none for.
seconds=$(($(left) - 40))
[[ $seconds -lt 20 ]] && seconds=20
timeout $((seconds + 30)) "$build/engine_bench" --device cuda --json --seconds "$seconds" >"$out/bench.json" 2>"$out/bench.txt"
code=$?
cat "$out/bench.txt"
grep -q '"rows"' "$out/bench.json" || unseen bench
if [[ $code -ne 0 ]]; then
  echo "bench: FAILED ($code)" | tee -a "$out/summary.txt"
  failed=1
fi

# What the compiler made of each kernel, for this architecture, where time is left.
command -v python3 >/dev/null && [[ $(left) -gt 60 ]] &&
  part kernels $(($(left) - 5)) python3 "$root/test/native/gpu/kernel_report.py" --build "$build/kernels" --architectures "$architecture"
cat "$out/summary.txt"
exit $failed
