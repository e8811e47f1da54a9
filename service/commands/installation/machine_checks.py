"""Checks of the machine: versions, processor, and the execution provider."""

import platform
import re
from importlib import metadata
from pathlib import Path

from service.commands.installation.finding import Findings
from service.model_files.execution.installed import RUNTIMES, require_provider
from service.observability.process_limits import cpu_count, memory_limit_bytes
from service.settings.environment import Settings

CPU_INFO = Path("/proc/cpuinfo")
PACKAGES = ("facenet-service", *sorted(RUNTIMES), "faiss-cpu", "numpy", "opencv-python-headless", "pillow")
CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp")
"""Those that matter for the speed of the networks. VNNI and asimddp multiply 8-bit integers."""


def check_versions(findings: Findings) -> None:
    """List the versions of what decides about results and speed."""
    found = {name: _version(name) for name in PACKAGES}
    versions = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    findings.ok("versions", f"Python {platform.python_version()}, {versions}")


def check_processor(findings: Findings, cpu_info: Path = CPU_INFO) -> None:
    """Say what the processor is, and which of its features the networks can use."""
    text = cpu_info.read_text("utf-8", "replace") if cpu_info.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    features = [name for name in CPU_FEATURES if flags and name in flags[1].split()]
    name = model[1] if model else platform.machine()
    memory = memory_limit_bytes() / 2**30
    findings.ok(
        "processor", f"{name}, {cpu_count()} CPUs, {memory:.1f} GiB, {', '.join(features) or 'features unknown'}"
    )


def check_provider(findings: Findings, settings: Settings) -> None:
    """Check that the execution provider of the settings is installed."""
    provider = settings.inference.provider
    with findings.faults_of("provider"):
        require_provider(provider)
        findings.ok("provider", f"{provider} is installed")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
