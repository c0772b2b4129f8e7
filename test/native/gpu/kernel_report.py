#!/usr/bin/env python3
"""Compiles every *_cuda.cu with nvcc for each architecture of a release, and says of every kernel what the compiler made
of it: registers, spilled bytes, shared memory, and how many matrix instructions its machine code holds. No GPU is needed.

    kernel_report.py [--build FOLDER] [--architectures 80,86,...] [--jobs N] [--only TEXT] [--markdown FILE]

Ends with 1 where a kernel does not compile, where one spills registers beyond what ACCEPTED says of it, or where the matrix
instruction that a kernel is written for (MEANT) is not in its code. Objects are kept in FOLDER (build-kernels) and made anew only
when a source they read has changed.

Instructions are counted in the machine code itself, 16 bytes each with the operation in the lowest 12 bits: the toolkit's
compiler packages come without a disassembler. `--probe` compiles one kernel per matrix instruction and holds the numbers in
OPERATIONS against what the compiler makes of them.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ARCHITECTURES = ["80", "86", "89", "90a", "100", "120"]

# Lowest 12 bits of an instruction -> its name in NVIDIA's disassembler.
OPERATIONS = {
    0x23C: "HMMA", 0x237: "IMMA", 0x27A: "QMMA", 0x9F0: "HGMMA", 0xDF0: "HGMMA", 0x9F1: "IGMMA", 0xDF1: "IGMMA",
    0x983: "LDL", 0x387: "STL", 0xFAE: "LDGSTS", 0x83B: "LDSM", 0x223: "FFMA",
}
MATRIX = ("HMMA", "IMMA", "QMMA", "HGMMA", "IGMMA")

HOPPER = {"90a"}
ALL = set(ARCHITECTURES)
# Kernels written for matrix instructions: file, pattern of the kernel's name, architectures, and what its code must hold.
MEANT = [
    ("mma_linear", r"multiply_tiles<true", ALL, "IMMA"),
    ("mma_linear", r"multiply_tiles<false", ALL, "HMMA"),
    ("wgmma_linear", r"int8", HOPPER, "IGMMA"),
    ("wgmma_linear", r"bf16", HOPPER, "HGMMA"),
    ("attention_dense", r"bf16", ALL, "HMMA"),
    ("attention_wide", r"bf16", ALL, "HMMA"),
    ("attention_sparse_bf16", r"attend", ALL, "HMMA"),
    ("attention_sparse_branch", r"sum_keys", ALL, "HMMA"),
    ("attention_sparse_int8", r"attend.*false>", ALL, "IMMA"),
    ("attention_sparse_int8", r"attend.*false>", ALL, "HMMA"),
    ("attention_sparse_int8", r"attend.*true>", {"89", "120"}, "IMMA"),
    ("attention_sparse_int8", r"attend.*true>", {"89", "120"}, "QMMA"),
    ("convolution", r"convolve_bf16", ALL, "HMMA"),
    ("peak", r"registers<.*0", ALL, "HMMA"),
    ("peak", r"registers<.*1", ALL, "IMMA"),
    ("peak", r"registers<.*2", {"89", "120"}, "QMMA"),
    ("peak", r"groups<.*3", HOPPER, "HGMMA"),
    ("peak", r"groups<.*4", HOPPER, "IGMMA"),
]
# Spills that are known: file, pattern, architectures, the most bytes stored and loaded, and why they do not matter.
ACCEPTED = [
    ("mma_linear", r"<true, 128, 256", {"86", "89", "90a", "120"}, 16, "never chosen there (cuda/kernel_choice.cpp)"),
    ("mma_linear", r"<true, 128, 256", {"80"}, 16, "two words, outside the loops that multiply"),
    ("attention_sparse_int8", r"true>", {"80", "86", "90a", "100"}, 64, "e4m3 is never chosen there"),
    ("attention_sparse_int8", r"<128, 2, false>", {"100", "120"}, 36, "addresses, stored before the loop over key blocks"),
    ("attention_sparse_branch", r"sum_keys_kernel<128>", ALL, 96, "addresses, stored before the loop, read once a key block"),
    ("attention_dense", r"<128, 2, 4, 2, false>", {"100"}, 24, "never chosen there (cuda/attention_choice.cpp)"),
    ("norm", r", 1, 32, false>", {"120"}, 264, "rows that begin off 16 bytes, which no model has"),
    ("fma_linear", r"<128, 2>", {"90a"}, 76, "f32, beside 2,249 multiply-adds a step"),
]


def nvcc():
    found = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    return found if os.access(found, os.X_OK) else None


def is_fresh(product, depfile):
    """True when nothing that went into the product is younger than it."""
    if not product.exists() or not depfile.exists():
        return False
    made = product.stat().st_mtime
    text = depfile.read_text().replace("\\\n", " ").split(":", 1)[1]
    return all(Path(name).exists() and Path(name).stat().st_mtime <= made for name in text.split())


def compile_kernels(source, architecture, folder):
    """-> (path of the machine code, the assembler's report), or raises with what the compiler said."""
    stem = folder / architecture / source.name[: -len(".cu")]
    stem.parent.mkdir(parents=True, exist_ok=True)
    cubin, log, depfile = stem.with_suffix(".cubin"), stem.with_suffix(".log"), stem.with_suffix(".d")
    if is_fresh(cubin, depfile) and log.exists():
        return cubin, log.read_text()
    command = [nvcc(), "-std=c++20", "-O3", "-DNDEBUG", "--expt-relaxed-constexpr", f"-I{ROOT}/addon/src", f"-I{ROOT}/addon/include",
               "-cubin", "-gencode", f"arch=compute_{architecture},code=sm_{architecture}", "-Xptxas", "-v",
               "-MD", "-MF", str(depfile), "-o", str(cubin), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    if done.returncode:
        cubin.unlink(missing_ok=True)
        raise RuntimeError(f"{source.name} for {architecture}:\n{report}")
    log.write_text(report)
    return cubin, report


def registers_of(report):
    """The assembler's report -> {mangled name: facts}."""
    kernels, name = {}, None
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function '(\S+)'", line):
            name = match.group(1)
            kernels[name] = {"registers": 0, "stack": 0, "spilled": 0, "shared": 0}
        elif name and (match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line)):
            kernels[name]["stack"] = int(match.group(1))
            kernels[name]["spilled"] = int(match.group(2)) + int(match.group(3))
        elif name and (match := re.search(r"Used (\d+) registers", line)):
            kernels[name]["registers"] = int(match.group(1))
            if shared := re.search(r"(\d+) bytes smem", line):
                kernels[name]["shared"] = int(shared.group(1))
            name = None
    return kernels


def instructions_of(cubin):
    """An ELF file of machine code -> {mangled name: Counter of OPERATIONS' names}."""
    data = cubin.read_bytes()
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names_at = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    names = sections[names_at][4]
    found = {}
    for section in sections:
        start = names + section[0]
        name = data[start : data.index(b"\0", start)].decode()
        if not name.startswith(".text."):
            continue
        code = data[section[4] : section[4] + section[5]]
        counts = collections.Counter()
        for (word,) in struct.iter_unpack("<Q8x", code):
            counts[OPERATIONS.get(word & 0xFFF, "")] += 1
        del counts[""]
        found[name[len(".text.") :]] = counts
    return found


def plain_names(mangled):
    done = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    short = []
    for name in done.stdout.splitlines():
        name = re.sub(r"\(anonymous namespace\)::|rushes::|cuda::|^void ", "", name)
        name = re.sub(r"\((?:int|bool|long|unsigned int)\)", "", name)
        depth, end = 0, len(name)
        for i, letter in enumerate(name):  # cut the parameters off
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0:
                end = i
                break
        short.append(name[:end])
    return dict(zip(mangled, short))


PROBE = """
#include "cuda/launch.h"
namespace rushes::cuda {
#define PROBE(function, T) \\
  RUSHES_KERNEL(128, 1) probe_##function(T* out, const uint32_t* in) { \\
    T d[4] = {out[0], out[1], out[2], out[3]}; \\
    const uint32_t a[4] = {in[0], in[1], in[2], in[3]}, b[2] = {in[4], in[5]}; \\
    function(d, a, b); \\
    for (int i = 0; i < 4; ++i) out[i] = d[i]; \\
  }
PROBE(mma_bf16, float)
PROBE(mma_f16, float)
PROBE(mma_int8, int32_t)
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
PROBE(mma_e4m3, float)
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define PROBE_GROUP(function, T) \\
  RUSHES_KERNEL(128, 1) probe_##function(T* out) { \\
    T d[32]; \\
    for (int i = 0; i < 32; ++i) d[i] = out[i]; \\
    wgmma_begin(); \\
    function<64>(d, shared_memory<uint8_t>(0, 8192), shared_memory<uint8_t>(8192, 8192), 0); \\
    wgmma_commit(); \\
    wgmma_wait<0>(); \\
    for (int i = 0; i < 32; ++i) out[i] = d[i]; \\
  }
PROBE_GROUP(wgmma_bf16, float)
PROBE_GROUP(wgmma_int8, int32_t)
#endif
}
"""


def probe(folder, architectures):
    """Prints what each matrix function of device.h becomes on each architecture."""
    source = folder / "probe_cuda.cu"
    folder.mkdir(parents=True, exist_ok=True)
    if not source.exists() or source.read_text() != PROBE:
        source.write_text(PROBE)
    for architecture in architectures:
        cubin, _ = compile_kernels(source, architecture, folder)
        code = instructions_of(cubin)
        names = plain_names(list(code))
        for mangled, counts in sorted(code.items()):
            found = {name: count for name, count in counts.items() if name in MATRIX}
            print(f"{architecture:>4}  {names[mangled]:28} {found or 'NO KNOWN MATRIX INSTRUCTION'}")


def is_accepted(kernel):
    return any(kernel["file"] == file and re.search(pattern, kernel["name"]) and kernel["architecture"] in architectures
               and kernel["spilled"] <= most for file, pattern, architectures, most, _ in ACCEPTED)


def problems_of(kernel):
    if kernel["spilled"] and not is_accepted(kernel):
        yield f"spills {kernel['spilled']} bytes"
    for file, pattern, architectures, wanted in MEANT:
        if kernel["file"] == file and re.search(pattern, kernel["name"]) and kernel["architecture"] in architectures:
            if not kernel["instructions"].get(wanted):
                yield f"has no {wanted}"


def table_of(kernels, architectures):
    """One line a file, in Markdown."""
    lines = ["| file | kernels | registers | most spilled (bytes) | matrix instructions |", "| --- | --- | --- | --- | --- |"]
    files = collections.defaultdict(list)
    for kernel in kernels:
        files[kernel["file"]].append(kernel)
    for file, group in sorted(files.items()):
        registers = [k["registers"] for k in group]
        worst = max(group, key=lambda k: k["spilled"])
        spilled = f"{worst['spilled']} on {worst['architecture']}" if worst["spilled"] else "0"
        used = []
        for name in MATRIX:
            on = [a for a in architectures if any(k["architecture"] == a and k["instructions"].get(name) for k in group)]
            if on:
                used.append(name if on == list(architectures) else f"{name} ({', '.join(on)})")
        lines.append(f"| {file} | {len({k['name'] for k in group})} | {min(registers)} to {max(registers)} | {spilled} | "
                     f"{', '.join(used) or '-'} |")
    return "\n".join(lines) + "\n"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", type=Path, default=ROOT / "build-kernels")
    options.add_argument("--architectures", default=",".join(ARCHITECTURES))
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--only", default="")
    options.add_argument("--markdown", type=Path)
    options.add_argument("--probe", action="store_true")
    given = options.parse_args()
    if not nvcc():
        print("skipped: no nvcc")
        return 0
    architectures = given.architectures.split(",")
    if given.probe:
        probe(given.build, architectures)
        return 0
    sources = sorted(p for p in (ROOT / "addon/src").rglob("*_cuda.cu") if given.only in p.name and p.name != "host_cuda.cu")
    work = [(source, architecture) for source in sources for architecture in architectures]
    kernels, failures = [], []
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        futures = [(s, a, pool.submit(compile_kernels, s, a, given.build)) for s, a in work]
        for source, architecture, future in futures:
            try:
                cubin, report = future.result()
            except RuntimeError as error:
                failures.append(str(error))
                continue
            code = instructions_of(cubin)
            facts = registers_of(report)
            names = plain_names(list(facts))
            for mangled, fact in facts.items():
                kernels.append({"file": source.name[: -len("_cuda.cu")], "name": names[mangled], "architecture": architecture,
                                **fact, "instructions": dict(code.get(mangled, {}))})
    for kernel in kernels:
        found = " ".join(f"{n} {c}" for n, c in sorted(kernel["instructions"].items()))
        print(f"{kernel['architecture']:>4} {kernel['registers']:>4} registers  {kernel['spilled']:>5} spilled  "
              f"{kernel['file']}: {kernel['name']}  {found}")
        for problem in problems_of(kernel):
            failures.append(f"{kernel['file']}: {kernel['name']} for {kernel['architecture']} {problem}")
    given.build.mkdir(parents=True, exist_ok=True)
    if given.markdown:
        given.markdown.write_text(table_of(kernels, architectures))
    (given.build / "kernels.json").write_text(json.dumps(kernels, indent=1))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(kernels)} kernels of {len(sources)} files for {len(architectures)} architectures; "
          f"{used.ru_utime + used.ru_stime:.0f} s of processor time in this run")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
