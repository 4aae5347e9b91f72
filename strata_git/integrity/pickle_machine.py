"""The machine behind `strata_git.integrity.opcodes`. Pure.

It follows the stack and the memo with names and constants in place of objects, so that it knows which
import a call calls, steps over the arrays that joblib writes between opcodes, and meets the names that a pickle puts
together from its own strings. What it cannot follow it names, in place of passing it over.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

COMPUTED: Final = "?"
"""In place of an import whose name cannot be read off: never allowed."""

NESTED_LIMIT = 200_000
"""Opcodes of a pickle that joblib wrote inside another one, in place of an array of objects."""

_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"
_KEYS = 64


class Broken(Exception):
    """The stream is not a pickle from here on; one line, printable."""


@dataclass(frozen=True, slots=True)
class Import:
    """A global that a pickle names."""

    name: str


@dataclass(slots=True)
class Made:
    """What a call of an import gives: the import's name, its arguments and its state, as far as they are constant."""

    name: str
    args: object = None
    state: object = None


@dataclass(slots=True)
class Walk:
    """What one pickle would do: `imports` (dotted names), `calls` among them, `oddities` (sentences), `end` (offset).

    `finished` says that it ended with STOP; `broken` why not. `limited` says that it was too long to be
    followed; `arrays` counts what joblib put between opcodes.
    """

    imports: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    oddities: list[str] = field(default_factory=list)
    end: int = 0
    opcodes: int = 0
    arrays: int = 0
    finished: bool = False
    broken: str = ""
    limited: bool = False

    @property
    def harmless(self) -> bool:
        """Whether nothing at all is imported or called: such a stream is data, whatever it was meant to be."""
        return not self.imports and not self.oddities


class _Unknown:
    """Any value that does not matter."""


class _Mark:
    """MARK on the stack."""


_OPAQUE = _Unknown()
_MARK = _Mark()


class Machine:
    """Stack, memo and stream of one pickle. `arrays` steps over what joblib writes between opcodes."""

    def __init__(self, data: bytes, at: int, *, arrays: bool = True) -> None:
        self._arrays = arrays
        self.stream = io.BytesIO(data)
        self.stream.seek(at)
        self.walk = Walk()
        self._size = len(data)
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self, limit: int) -> None:
        """All opcodes up to STOP."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self.stream), 1):
            if count > limit:
                self.walk.limited = True
                return
            if opcode.name == "STOP":
                self._pop()
                self.walk.finished = True
                return
            act = _ACTS.get(opcode.name)
            if act is None:
                raise Broken(f"opcode {opcode.name} is unknown here")  # pragma: no cover - of a later Python
            act(self, opcode.name, argument)
            self.walk.opcodes = count

    def follow(self, limit: int) -> Walk:
        """As `run`, with what is broken told and not raised."""
        start = self.stream.tell()
        try:
            with warnings.catch_warnings():  # of escapes in strings, which are what they are
                warnings.simplefilter("ignore", DeprecationWarning)
                self.run(limit)
        except Broken as error:
            self.walk.broken = str(error)
        except (ValueError, IndexError, OverflowError, MemoryError, RecursionError) as error:
            self.walk.broken = f"{type(error).__name__} after {self.stream.tell() - start} bytes"
        self.walk.end = self.stream.tell()
        return self.walk

    # -- values

    def push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> object:
        if not self._stack or self._stack[-1] is _MARK:
            raise Broken("takes more from the stack than there is")
        return self._stack.pop()

    def _top(self) -> object:
        if not self._stack or self._stack[-1] is _MARK:
            raise Broken("takes more from the stack than there is")
        return self._stack[-1]

    def _to_mark(self) -> list[object]:
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at] is _MARK:
                found = self._stack[at + 1 :]
                del self._stack[at:]
                return found
        raise Broken("looks for a mark that is not there")

    # -- one method for each group of opcodes

    def constant(self, _: str, argument: object) -> None:
        small = isinstance(argument, (str, int, float, bool)) or argument is None
        self.push(argument if small else _OPAQUE)

    def word(self, name: str, _: object) -> None:
        self.push({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])

    def opaque(self, *_: object) -> None:
        self.push(_OPAQUE)

    def nothing(self, *_: object) -> None:
        """PROTO and FRAME move nothing."""

    def mark(self, *_: object) -> None:
        self.push(_MARK)

    def empty(self, name: str, _: object) -> None:
        empty: dict[str, object] = {"EMPTY_TUPLE": (), "EMPTY_LIST": [], "EMPTY_DICT": {}, "EMPTY_SET": _OPAQUE}
        self.push(empty[name])

    def tuple_of(self, name: str, _: object) -> None:
        if name == "TUPLE":
            self.push(tuple(self._to_mark()))
            return
        taken = [self._pop() for _ in range(int(name[5:]))]
        self.push(tuple(reversed(taken)))

    def collect(self, name: str, _: object) -> None:
        """LIST, DICT and FROZENSET gather what lies above the mark."""
        values = self._to_mark()
        if name == "DICT":
            target: dict[object, object] = {}
            _fill(target, values)
            self.push(target)
        else:
            self.push(values[:_KEYS] if name == "LIST" else _OPAQUE)

    def append(self, name: str, _: object) -> None:
        """APPEND, APPENDS and ADDITEMS; what is extended may be an object whose methods are called."""
        values = [self._pop()] if name == "APPEND" else self._to_mark()
        target = self._top()
        if isinstance(target, list):
            target.extend(values[: _KEYS - len(target)])
        elif isinstance(target, Import):
            self._odd(f"extends {target.name} itself")

    def set_item(self, name: str, _: object) -> None:
        values = list(reversed([self._pop(), self._pop()])) if name == "SETITEM" else self._to_mark()
        target = self._top()
        if isinstance(target, dict):
            _fill(target, values)
        elif isinstance(target, Import):
            self._odd(f"writes into {target.name} itself")

    def pop(self, *_: object) -> None:
        if not self._stack:
            raise Broken("takes more from the stack than there is")
        self._stack.pop()

    def pop_mark(self, *_: object) -> None:
        self._to_mark()

    def duplicate(self, *_: object) -> None:
        self.push(self._top())

    def put(self, name: str, argument: object) -> None:
        key = len(self._memo) if name == "MEMOIZE" else argument
        if not isinstance(key, int) or key < 0:
            raise Broken("puts something under no number")
        self._memo[key] = self._top()

    def get(self, _: str, argument: object) -> None:
        if argument not in self._memo:
            raise Broken("asks for what was never put aside")
        self.push(self._memo[argument])

    def persistent(self, name: str, _: object) -> None:
        if name == "BINPERSID":
            self._pop()
        self.push(_OPAQUE)

    # -- what imports and calls

    def global_(self, _: str, argument: object) -> None:
        module, _space, name = str(argument).partition(" ")
        self._import(module, name)

    def stack_global(self, *_: object) -> None:
        name, module = self._pop(), self._pop()
        if isinstance(name, str) and isinstance(module, str):
            self._import(module, name)
        else:
            self._compute("imports a name that it puts together on the way")
            self.push(Made(COMPUTED))

    def extension(self, _: str, argument: object) -> None:
        self._compute(f"imports what the reader has registered under number {argument}")
        self.push(Made(COMPUTED))

    def inst(self, _: str, argument: object) -> None:
        args = tuple(self._to_mark())
        module, _space, name = str(argument).partition(" ")
        self._import(module, name)
        self.push(self._called(self._pop(), args))

    def obj(self, *_: object) -> None:
        values = self._to_mark()
        if not values:
            raise Broken("makes an object of no class")
        self.push(self._called(values[0], tuple(values[1:])))

    def reduce(self, name: str, _: object) -> None:
        """REDUCE, NEWOBJ and NEWOBJ_EX: a callable and its arguments."""
        if name == "NEWOBJ_EX":
            self._pop()
        args, callee = self._pop(), self._pop()
        self.push(self._called(callee, args))

    def build(self, *_: object) -> None:
        """State for an object: for a class or function it would change what others call."""
        state, target = self._pop(), self._top()
        if isinstance(target, Import):
            self._odd(f"changes {target.name} itself")
        for key in _names(state):
            if key.startswith("__") and key not in ("__dict__", "__doc__", "__module__", "__version__"):
                self._odd(f"gives an object the attribute {key[:40]}")
        if isinstance(target, Made):
            target.state = state
            if target.name == _ARRAY:
                self.walk.arrays += 1
                if self._arrays:
                    self._step_over(target)

    # -- helpers of those

    def _import(self, module: str, name: str) -> None:
        dotted = f"{module}.{name}"
        self.walk.imports.add(dotted)
        self.push(Import(dotted))

    def _called(self, callee: object, args: object) -> Made:
        if isinstance(callee, Import):
            self.walk.calls.add(callee.name)
            return Made(callee.name, args)
        told = f"what {callee.name} gave" if isinstance(callee, Made) else "what it computed"
        self.walk.calls.add(COMPUTED)
        self._compute(f"calls {told}")
        return Made(COMPUTED, args)

    def _compute(self, sentence: str) -> None:
        self.walk.imports.add(COMPUTED)
        self._odd(sentence)

    def _odd(self, sentence: str) -> None:
        if sentence not in self.walk.oddities and len(self.walk.oddities) < _KEYS:
            self.walk.oddities.append(sentence)

    def _step_over(self, array: Made) -> None:
        """joblib writes the bytes of an array right behind its description."""
        state = array.state if isinstance(array.state, dict) else {}
        size, objects = _item(state.get("dtype"))
        shape = state.get("shape")
        if not isinstance(shape, tuple) or size is None:
            raise Broken("describes an array that cannot be stepped over")
        count = 1
        for length in shape:
            if not isinstance(length, int) or length < 0:
                raise Broken("describes an array that cannot be stepped over")
            count *= length
        at = self.stream.tell()
        if objects:
            inner = Machine(self.stream.getvalue(), at).follow(NESTED_LIMIT)
            self.walk.imports |= inner.imports
            self.walk.calls |= inner.calls
            self.walk.oddities += inner.oddities
            if not inner.finished:
                raise Broken(inner.broken or "is too long")
            self.stream.seek(inner.end)
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self.stream.read(1)
            at += 1 + (padding[0] if padding else 0)
        if at + count * size > self._size:
            raise Broken("ends inside an array")
        self.stream.seek(at + count * size)


def _fill(target: dict[object, object], values: list[object]) -> None:
    for key, value in zip(values[::2], values[1::2], strict=False):
        if isinstance(key, str) and len(target) < _KEYS:
            target[key] = value


def _names(state: object) -> Iterator[str]:
    """Attribute names in a state: a dict, or a pair of dicts (`__dict__` and slots)."""
    for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(part, dict):
            yield from (key for key in part if isinstance(key, str))


def _item(dtype: object) -> tuple[int | None, bool]:
    """Bytes of one item of a numpy dtype as pickled, and whether it holds objects; (None, False) when it is unclear."""
    if not isinstance(dtype, Made) or dtype.name != "numpy.dtype" or not isinstance(dtype.args, tuple):
        return None, False
    code = dtype.args[0] if dtype.args else None
    state = dtype.state if isinstance(dtype.state, tuple) else ()
    flags = state[7] if len(state) > 7 else 0
    if not isinstance(code, str):
        return None, False
    if code.startswith("O") or (isinstance(flags, int) and flags & 1):
        return 0, True
    digits = code.lstrip("<>|=").lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?")
    if not digits.isdigit():
        return None, False
    return int(digits) * (4 if "U" in code else 1), False


_Act = Callable[[Machine, str, object], None]
_GROUPS: dict[_Act, str] = {
    Machine.constant: "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8",
    Machine.word: "NONE NEWTRUE NEWFALSE",
    Machine.opaque: "NEXT_BUFFER",
    Machine.nothing: "PROTO FRAME READONLY_BUFFER",
    Machine.mark: "MARK",
    Machine.empty: "EMPTY_TUPLE EMPTY_LIST EMPTY_DICT EMPTY_SET",
    Machine.tuple_of: "TUPLE TUPLE1 TUPLE2 TUPLE3",
    Machine.collect: "LIST DICT FROZENSET",
    Machine.append: "APPEND APPENDS ADDITEMS",
    Machine.set_item: "SETITEM SETITEMS",
    Machine.pop: "POP",
    Machine.pop_mark: "POP_MARK",
    Machine.duplicate: "DUP",
    Machine.put: "PUT BINPUT LONG_BINPUT MEMOIZE",
    Machine.get: "GET BINGET LONG_BINGET",
    Machine.persistent: "PERSID BINPERSID",
    Machine.global_: "GLOBAL",
    Machine.stack_global: "STACK_GLOBAL",
    Machine.extension: "EXT1 EXT2 EXT4",
    Machine.inst: "INST",
    Machine.obj: "OBJ",
    Machine.reduce: "REDUCE NEWOBJ NEWOBJ_EX",
    Machine.build: "BUILD",
}
_ACTS: dict[str, _Act] = {name: act for act, names in _GROUPS.items() for name in names.split()}
