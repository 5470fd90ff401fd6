"""What the numbers were measured on, in one paragraph; shared by all benchmarks."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine(*packages: str) -> str:
    """Processor, cores in use, memory, system, Python, and the versions of the packages that took part."""
    used = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {used} cores", _memory(), f"{platform.system()} {platform.machine()}"]
    parts.append(f"Python {platform.python_version()}")
    for package in packages:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"{package} not installed")
    return "; ".join(part for part in parts if part)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    lines = info.read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx512_bf16": "bf16"}
    return f"{name} ({', '.join(text for flag, text in known.items() if flag in flags) or 'no AVX2'})"


def _memory() -> str:
    info = Path("/proc/meminfo")
    if not info.is_file():
        return ""
    return f"{int(info.read_text().split()[1]) / 2**20:.0f} GiB"
