"""Where the workers' environments come from, and what many tests share: crossload's own environments and models, made once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch
from crossload.support.cache import cache_folder, locked
from tests import ROOT

C = ROOT / "bindings" / "c"
# The crate tfmicro carries a tree of TensorFlow Lite Micro of 2020; what of it is compiled, beside the kernels that a test asks for.
_TFMICRO = ("0.1.0", "b2da8beabd85d11badfc2d603a31c9fb468702cda5fc034ac872fbaf43544e94")
_TFLM_SOURCES = (
    *(
        f"micro/{n}.cc"
        for n in ("micro_allocator", "micro_interpreter", "micro_error_reporter", "micro_string", "micro_utils", "debug_log")
    ),
    *("micro/memory_helpers.cc", "micro/simple_memory_allocator.cc", "micro/memory_planner/greedy_memory_planner.cc", "c/common.c"),
    *(f"core/api/{n}.cc" for n in ("error_reporter", "flatbuffer_conversions", "op_resolver", "tensor_utils")),
    *("kernels/internal/quantization_util.cc", "kernels/kernel_util.cc", "micro/memory_planner/linear_memory_planner.cc"),
)
_TFLM_KERNELS = (
    "add",
    "conv",
    "depthwise_conv",
    "fully_connected",
    "logistic",
    "mul",
    "pooling",
    "reshape",
    "softmax",
    "split",
    "tanh",
    "unpack",
)
_STRICT = ("-Wall", "-Wextra", "-Werror", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def launch_of(runtime: str) -> Launch:
    """How a built-in runtime's worker starts."""
    return environments.prepare(registry.find([runtime])[0].source)


def launch_script(script: Path) -> Launch:
    """How a worker with a PEP 723 header starts."""
    return environments.prepare(environments.Script(script))


def with_tensorflow(script: Path, *arguments: str | Path) -> None:
    """Run a script in a Python with TensorFlow and crossload; raises RuntimeError with what it printed."""
    command = [launch_of("tensorflow+python").argv[0], str(script), *map(str, arguments)]
    package = str(Path(environments.__file__).parents[2])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": package}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, the same in every process of this run: the first one makes it, the others wait."""
    base = temporary.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.exists():
            making = folder.with_name(f"{name}.making")
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


def compiled(program: Path, *words: str | Path) -> Path:
    """A program of these C sources and options that ends with a report at its first invalid access or undefined result; skipped without
    a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler on this machine (Debian: apt-get install gcc)")
    subprocess.run([compiler, *_STRICT, "-o", str(program), *map(str, words)], check=True)
    return program


def c_program(temporary: pytest.TempPathFactory, name: str, *sources: Path) -> Path:
    """`compiled`, once for all tests, from sources that include those of bindings/c."""
    return made_once(temporary, name, lambda folder: compiled(folder / name, "-std=c11", *sources, f"-I{C}", "-ldl")) / name


def launch_of_c(temporary: pytest.TempPathFactory) -> Launch:
    """How the C worker starts, with the libraries of the runtime `tensorflow`."""
    return Launch((str(c_program(temporary, "c_worker", *sorted(C.glob("*.c")))), str(tensorflow_libraries())))


def litert_library() -> Path:
    """The folder with the library of the runtime `litert`."""
    (found,) = Path(launch_of("litert").argv[0]).parents[1].glob("lib/python3*/site-packages/ai_edge_litert")
    return found


def tensorflow_libraries() -> Path:
    """The folder with the C libraries of the runtime `tensorflow`."""
    (found,) = Path(launch_of("tensorflow").argv[0]).parents[1].glob("lib/python3*/site-packages/tensorflow")
    return found


def tflm_tree() -> Path:
    """A source tree of TensorFlow Lite Micro of 2020 with its library built, made once for this machine; skipped without what builds it."""
    version, digest = _TFMICRO
    tree = cache_folder() / "tests" / f"tfmicro-{version}"
    for tool, package in (("cargo", "cargo"), ("g++", "g++"), ("make", "make"), ("cmake", "cmake")):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} on this machine (Debian: apt-get install {package})")
    with locked(tree.with_suffix(".lock")):
        if not tree.exists():
            with tempfile.TemporaryDirectory(dir=tree.parent) as folder:
                made = Path(folder) / "tree"
                _unpack_tflm(_crate("tfmicro", version, digest), made)
                _build_tflm(made)
                made.rename(tree)
    return tree


def _crate(name: str, version: str, digest: str) -> Path:
    """A crate's file, fetched by cargo; raises ValueError if it is another than the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = f'[package]\nname = "fetch"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n[dependencies]\n{name} = "={version}"\n'
        (Path(folder) / "Cargo.toml").write_text(manifest, "utf-8")
        (Path(folder) / "lib.rs").touch()
        subprocess.run(["cargo", "fetch", "--quiet"], cwd=folder, check=True)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = [p for p in home.glob(f"registry/cache/*/{name}-{version}.crate") if hashlib.sha256(p.read_bytes()).hexdigest() == digest]
    if not found:
        raise ValueError(f"cargo brought no {name} {version} with the sha256 {digest}")
    return found[0]


def _unpack_tflm(crate: Path, tree: Path) -> None:
    """The part of the crate that is TensorFlow Lite Micro."""
    with tarfile.open(crate) as archive:
        for member in archive:
            inside = re.fullmatch(r"[^/]+/submodules/tensorflow/(tensorflow/[^.].*)", member.name)
            if inside and member.isfile() and ".." not in member.name:
                target = tree / inside[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                target.write_bytes(content.read() if content else b"")


def _build_tflm(tree: Path) -> None:
    """Build the library where TensorFlow Lite Micro's own Makefile does."""
    lite, library = tree / "tensorflow" / "lite", tree / "gen" / "host" / "lib"
    library.mkdir(parents=True)
    downloads = lite / "micro" / "tools" / "make" / "downloads"
    includes = [f"-I{p}" for p in (tree, downloads / "flatbuffers" / "include", downloads / "gemmlowp", downloads / "ruy")]
    flags = ["-w", "-O0", "-DTF_LITE_STATIC_MEMORY", "-DGEMMLOWP_ALLOW_SLOW_SCALAR_FALLBACK", *includes]

    def compile_one(name: str) -> str:
        made = str(library / f"{name.replace('/', '_')}.o")
        language = ["gcc"] if name.endswith(".c") else ["g++", "-std=c++11", "-fno-rtti", "-fno-exceptions", "-fpermissive"]
        subprocess.run([*language, *flags, "-c", str(lite / name), "-o", made], check=True)
        return made

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = list(threads.map(compile_one, [*_TFLM_SOURCES, *(f"micro/kernels/{n}.cc" for n in _TFLM_KERNELS)]))
    subprocess.run(["ar", "rcs", str(library / "libtensorflow-microlite.a"), *objects], check=True)
