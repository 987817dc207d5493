"""Compiled functions kept on disk as machine code, so that a run starts without the compiler.

The compiler itself keeps code too, but to read it back it wants all of itself in memory and a second look at every
type: that takes longer than to play millions of rows. Here the linker alone brings in what the compiler once made.

Whoever needs code that is not there compiles it, while others who need the same wait for it.

A function can be had in two forms: as one of numbers, which is called through `ctypes`, and as a method of an object
that lies at an address, which costs a tenth of that.
"""

import ctypes
import fcntl
import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

import llvmlite  # type: ignore[import-untyped]
import llvmlite.binding as llvm  # type: ignore[import-untyped]

from executor.domain.errors import InvariantViolation

Native = Callable[..., int]

_HERE: Final = Path(__file__)
_OURS: Final = (_HERE, _HERE.with_name("compiling.py"), _HERE.with_name("method_code.py"))
_KEPT_MAX: Final = 4
_UNREACHED: Final = (
    "NRT_Free",
    "NRT_MemInfo_call_dtor",
    "numba_do_raise",
    "numba_gil_ensure",
    "numba_gil_release",
    "numba_runtime_build_excinfo_struct",
    "numba_unpickle",
)
"""What compiled code would call to raise an error or to free an array; it does neither."""


_METHODS: Final = "methods -"
_SYMBOL: Final = "method_of_{}"
_METH_FASTCALL: Final = 0x80


class _MethodDefinition(ctypes.Structure):
    """What the interpreter is told of a function: `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )
    linker: object


def beside(module: str, *names: str) -> tuple[Path, ...]:
    """Files named from the folder of a module, which is named by its `__file__`."""
    return tuple(Path(module).parent / name for name in names)


@cache
def stamp(sources: tuple[Path, ...]) -> int:
    """Sum of the sources of compiled code: what was compiled from others is told by it."""
    return int.from_bytes(_digest((*_OURS, *sources)).digest()[:7], "big")


def _digest(files: tuple[Path, ...]) -> Any:  # noqa: ANN401 - a hash has no public type
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest


class KeptCode:
    """Functions of whole numbers, compiled once for this machine.

    Parameters
    ----------
    name
        Of the file.
    numbers
        For each function how many numbers it is given; it gives one back.
    define
        Brings the functions themselves, as ordinary ones. It is called only if they have to be compiled, so that what
        it imports costs nothing otherwise. They raise nothing, and index nothing that is not there.
    sources
        Files which the code is made from, beside those that compile it.
    methods
        Functions that can be had as methods, too, with the count of their last numbers that may be left out: those are
        0 then. The first number of a method is the address of its object.
    """

    def __init__(
        self,
        name: str,
        numbers: Mapping[str, int],
        define: Callable[[], Mapping[str, Callable[..., int]]],
        *,
        sources: tuple[Path, ...] = (),
        methods: Mapping[str, int] | None = None,
    ) -> None:
        self._name = name
        self._numbers = dict(numbers)
        self._define = define
        self._sources = sources
        self._optional = dict(methods or {})
        self._linked: dict[str, Native] = {}
        self._methods: dict[str, _MethodDefinition] = {}

    def linked(self) -> Mapping[str, Native]:
        """Bring the functions, from disk or from the compiler.

        Returns
        -------
        Mapping
            By name. Numbers beyond 64 bits are for the caller to refuse: they would be cut.
        """
        if not self._linked:
            objects = self._read()
            if objects is None:
                objects = self._compile_or_wait()
            linker = _made_linker()
            functions = {name: code for name, code in objects.items() if name != _METHODS}
            for code in objects.values():
                linker.add_object_file(llvm.ObjectFileRef.from_data(code))
            linker.finalize_object()
            self._linked = _functions(linker, functions, self._numbers)
            for name in self._optional:
                address = linker.get_function_address(_SYMBOL.format(name))
                definition = _MethodDefinition(name.encode(), address, _METH_FASTCALL, None)
                definition.linker = linker  # the code lives as long as what describes it
                self._methods[name] = definition
        return self._linked

    def methods(self, place: "Place") -> Mapping[str, Native]:
        """Bring the functions that are methods, bound to an object.

        Parameters
        ----------
        place
            Where it lies. Each method keeps it alive.

        Returns
        -------
        Mapping
            By name; called by position. Numbers beyond 64 bits raise OverflowError, what is no whole number raises
            TypeError.
        """
        self.linked()
        place.needs.append(self._methods)
        made = ctypes.pythonapi.PyCFunction_NewEx
        made.restype = ctypes.py_object
        made.argtypes = (ctypes.POINTER(_MethodDefinition), ctypes.py_object, ctypes.c_void_p)
        return {name: made(definition, place, None) for name, definition in self._methods.items()}

    def _path(self, folder: Path) -> Path:
        digest = _digest((*_OURS, *self._sources, _compiler_version()))
        about = (
            platform.python_version(),
            llvmlite.__version__,
            llvm.get_default_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
            self._numbers,
            self._optional,
        )
        digest.update(repr(about).encode())
        return folder / f"{self._name}-{digest.hexdigest()[:24]}.code"

    def _read(self) -> dict[str, bytes] | None:
        for folder in _folders():
            path = self._path(folder)
            if path.is_file():
                return _unpacked(path.read_bytes())
        return None

    def _compile_or_wait(self) -> dict[str, bytes]:
        for folder in _folders():
            with _locked(folder / f"{self._name}.lock") as is_ours:
                if not is_ours:
                    continue
                objects = self._read()
                if objects is None:
                    objects = self._compile()
                    path = self._path(folder)
                    partial = path.with_suffix(f".{os.getpid()}")
                    partial.write_bytes(_packed(objects))
                    partial.replace(path)
                    self._tidy(folder)
                return objects
        return self._compile()

    def _tidy(self, folder: Path) -> None:
        """Leave the latest few: other interpreters use the same folder."""
        kept = sorted(folder.glob(f"{self._name}-*.code"), key=lambda path: path.stat().st_mtime_ns)
        for old in kept[:-_KEPT_MAX]:
            old.unlink(missing_ok=True)

    def _compile(self) -> dict[str, bytes]:
        import numba  # noqa: PLC0415 - slow, and only needed here

        cfunc: Any = numba.cfunc
        objects = {}
        for name, function in self._define().items():
            signature = numba.int64(*[numba.int64] * self._numbers[name])
            made = cfunc(signature, error_model="numpy")(function)
            # There is no public way to the machine code.
            objects[f"{name} {made._wrapper_name}"] = bytes(made._library._get_compiled_object())
        if self._optional:
            symbols = dict(name.split(" ") for name in objects)
            from simulation.method_code import method_code  # noqa: PLC0415 - likewise

            text = method_code(_SYMBOL, symbols, self._numbers, self._optional)
            objects[_METHODS] = bytes(_made_target().emit_object(llvm.parse_assembly(text)))
        return objects


class Place(int):
    """Where an object of compiled code lies, with what has to stay as long as anybody can reach it."""

    needs: list[object]

    def __new__(cls, address: int, *needs: object) -> Self:
        """Note an address, and the arrays that lie there."""
        place = super().__new__(cls, address)
        place.needs = list(needs)
        return place


def _compiler_version() -> Path:
    """Which release of the compiler there is, in its own words: neither it nor the index of all packages is loaded."""
    found = find_spec("numba")
    if found is None or found.origin is None:
        raise InvariantViolation("numba, which compiles simulations, is not installed")
    return Path(found.origin).with_name("_version.py")


def _folders() -> Iterator[Path]:
    """Where code is kept: where it was asked to be, else beside its source, else with the user's other caches."""
    asked = os.environ.get("NUMBA_CACHE_DIR")
    if asked:
        yield Path(asked)
    else:
        yield _HERE.parent / "__pycache__"
        home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        yield Path(home) / "bybit-executor"


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Have something alone for a while; False where nothing can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield True
    finally:
        os.close(file)


def _packed(objects: Mapping[str, bytes]) -> bytes:
    head = "\n".join(f"{len(code)} {name}" for name, code in objects.items()).encode()
    body = len(head).to_bytes(4, "big") + head + b"".join(objects.values())
    return hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> dict[str, bytes] | None:
    """Take a file apart; None where it is damaged."""
    body = data[32:]
    if hashlib.sha256(body).digest() != data[:32]:
        return None
    at = 4 + int.from_bytes(body[:4], "big")
    objects = {}
    for line in body[4:at].decode().split("\n"):
        size, _, name = line.partition(" ")
        objects[name] = body[at : at + int(size)]
        at += int(size)
    return objects


def _made_target() -> Any:  # noqa: ANN401 - not typed
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(opt=3, jit=True, codemodel="jitdefault")


def _made_linker() -> Any:  # noqa: ANN401 - not typed
    """Make one that knows nothing of other code: it may use the same names."""
    machine = _made_target()
    for name in _UNREACHED:
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, ctypes.cast(_FALL, ctypes.c_void_p).value)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _fall() -> None:
    """End the process: compiled code went where it cannot go, and what it holds is worth nothing."""
    os.abort()


_FALL: Final = ctypes.CFUNCTYPE(None)(_fall)


def _functions(linker: Any, objects: Mapping[str, bytes], numbers: Mapping[str, int]) -> dict[str, Native]:  # noqa: ANN401
    linked: dict[str, Native] = {}
    for name in objects:
        ours, _, symbol = name.partition(" ")
        address = linker.get_function_address(symbol)
        if not address:
            raise InvariantViolation(f"kept code has no {ours}")
        native: Any = ctypes.CFUNCTYPE(*[ctypes.c_int64] * (1 + numbers[ours]))(address)
        native.linker = linker  # the code lives as long as who linked it
        linked[ours] = native
    return linked
