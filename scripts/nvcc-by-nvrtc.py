#!/usr/bin/env python3
"""Stands in for nvcc where only NVRTC is there, as far as a build script asks: which architectures there are, and the
PTX of files.

    nvcc --list-gpu-code
    nvcc --gpu-architecture=sm_80 --ptx --output-directory OUT [-I FOLDER]… FILE.cu
"""

import ctypes
import math
import os
import sys
from pathlib import Path

INFINITE = "__int_as_float(0x7f800000)"
ROOT = Path(__file__).resolve().parent.parent
# What NVRTC has of itself, under the names that files ask for.
OWN_HEADERS = {
    "math.h": "#pragma once\n" + "\n".join(
        f"#define {name} {value}"
        for name, value in {
            "INFINITY": INFINITE,
            "M_PI": math.pi,
            "M_SQRT2": math.sqrt(2),
            "M_SQRT1_2": math.sqrt(0.5),
            "M_2_SQRTPI": 2 / math.sqrt(math.pi),
        }.items()
    ),
    "cstdint": "#pragma once\ntypedef signed char int8_t; typedef unsigned char uint8_t; typedef short int16_t;"
    "typedef unsigned short uint16_t; typedef int int32_t; typedef unsigned int uint32_t;"
    "typedef long long int64_t; typedef unsigned long long uint64_t;"
    "typedef long intptr_t; typedef unsigned long uintptr_t;",
}


class Nvrtc:
    """The library, whose calls end the program if they fail."""

    def __init__(self):
        found = sorted((ROOT / "packages").glob("nvidia/cuda_nvrtc/lib/libnvrtc.so.*"))
        self.library = ctypes.CDLL(str([path for path in found if "alt" not in path.name][0]))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def __call__(self, name, *arguments, fails=None):
        code = getattr(self.library, "nvrtc" + name)(*arguments)
        if code:
            sys.exit(f"{name}: {self.library.nvrtcGetErrorString(code).decode()}\n{fails() if fails else ''}")

    def text(self, what, program):
        size = ctypes.c_size_t()
        self(f"Get{what}Size", program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        self(f"Get{what}", program, text)
        return text.value


def architectures(nvrtc):
    count = ctypes.c_int()
    nvrtc("GetNumSupportedArchs", ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    nvrtc("GetSupportedArchs", numbers)
    return list(numbers)


def compile_to_ptx(nvrtc, source, architecture, folders):
    def strings(them):
        return (ctypes.c_char_p * len(them))(*(text.encode() for text in them))

    program = ctypes.c_void_p()
    headers, contents = strings(OWN_HEADERS.keys()), strings(OWN_HEADERS.values())
    text = source.read_text().encode()
    nvrtc(
        "CreateProgram", ctypes.byref(program), text, str(source).encode(), len(OWN_HEADERS), contents, headers
    )
    folders = [*folders, str(source.parent), str(ROOT / "include")]
    options = [f"--gpu-architecture={architecture.replace('sm_', 'compute_')}", "--std=c++17"]
    options += [f"--include-path={folder}" for folder in folders]
    # nvcc includes these by itself.
    options += [f"--pre-include={name}" for name in OWN_HEADERS]
    nvrtc(
        "CompileProgram",
        program,
        len(options),
        strings(options),
        fails=lambda: nvrtc.text("ProgramLog", program).decode(),
    )
    return nvrtc.text("PTX", program)


def main():
    nvrtc, arguments = Nvrtc(), sys.argv[1:]
    if "--list-gpu-code" in arguments:
        print("\n".join(f"sm_{number}" for number in architectures(nvrtc)))
        return
    value = lambda key: next(a.split("=", 1)[1] for a in arguments if a.startswith(key + "="))
    out = Path(arguments[arguments.index("--output-directory") + 1])
    folders = [a[2:] for a in arguments if a.startswith("-I")]
    for source in (Path(a) for a in arguments if a.endswith(".cu")):
        ptx = compile_to_ptx(nvrtc, source, value("--gpu-architecture"), folders)
        (out / source.with_suffix(".ptx").name).write_bytes(ptx.rstrip(b"\0"))


if __name__ == "__main__":
    os.umask(0o022)
    main()
