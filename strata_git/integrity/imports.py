"""What pickles import: which names are known to be harmless, which could take over a machine. Pure.

The first list is short and exact, the second is long and never complete. Whatever is on neither is *unknown*, and
named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

from strata_git.integrity.pickle_machine import COMPUTED

Judged = Literal["allowed", "unknown", "harm"]

_EXACT = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "set frozenset list dict tuple int float complex bool bytes bytearray str slice range object",
        "__builtin__": "set frozenset list dict tuple int float complex bool bytes bytearray str unicode long slice "
        "xrange object",
        "collections": "OrderedDict defaultdict deque Counter",
        "copyreg": "_reconstructor __newobj__ __newobj_ex__",
        "copy_reg": "_reconstructor __newobj__ __newobj_ex__",
        "_codecs": "encode",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
        "array": "array _array_reconstructor",
        "pathlib": "PurePath PurePosixPath PureWindowsPath Path PosixPath WindowsPath",
        "numpy": "ndarray dtype matrix recarray float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
        "uint64 bool_ bool str_ bytes_ object_ complex64 complex128 datetime64 timedelta64 nan",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy.core.numeric": "_frombuffer",
        "numpy._core.numeric": "_frombuffer",
        "numpy.ma.core": "_mareconstruct MaskedArray",
        "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64 PCG64DXSM",
        "numpy.random._philox": "Philox",
        "numpy.random._sfc64": "SFC64",
        "numpy.random.mtrand": "RandomState",
        "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
        "joblib.numpy_pickle": "NumpyArrayWrapper",
        "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
        "pandas._libs.internals": "_unpickle_block",
        "pandas.core.indexes.base": "Index _new_Index",
        "torch": "Size device dtype float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 bool",
        "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
        "_rebuild_qtensor _rebuild_sparse_tensor",
        "torch.serialization": "_get_layout",
        "torch.storage": "UntypedStorage TypedStorage",
        "xgboost.core": "Booster",
        "lightgbm.basic": "Booster",
        "catboost.core": "CatBoost CatBoostClassifier CatBoostRegressor CatBoostRanker",
    }.items()
    for name in names.split()
)
_PATTERNS = re.compile(
    r"sklearn(?:\.(?!externals|datasets|tests|utils\.(?:_testing|fixes|parallel))\w+)+\.(?:[A-Z]\w*|__pyx_unpickle_\w+)"
    r"|scipy\.sparse(?:\.\w+)?\.(?:csr|csc|coo|bsr|dia|dok|lil)_(?:matrix|array)"
    r"|scipy\.interpolate(?:\.\w+)?\.[A-Z]\w*"
    r"|pandas\.core\.(?:frame|series|internals\.\w+|indexes\.\w+|dtypes\.dtypes|arrays\.\w+)\.(?:[A-Z]\w*|new_block)"
    r"|torch\.(?:\w+Storage|nn\.modules\.\w+\.[A-Z]\w*|nn\.parameter\.Parameter)"
    r"|xgboost\.sklearn\.XGB\w+|lightgbm\.sklearn\.LGBM\w+"
)
_MODULES = (
    "_aix_support _bootsubprocess _ctypes _imp _operator _osx_support _pickle _posixsubprocess _socket "
    "_sitebuiltins _thread _winapi _xxsubinterpreters aiohttp antigravity asyncio asyncore bdb "
    "builtins __builtin__ cPickle cProfile cffi cloudpickle code codeop commands compileall concurrent "
    "configparser ctypes dill distutils doctest ensurepip fileinput ftplib gc glob http httplib httpx "
    "idlelib imaplib imp importlib inspect jinja2 lib2to3 linecache logging marshal mmap msvcrt multiprocessing nt "
    "ntpath operator optparse os paramiko pdb pickle pickletools pip pkg_resources pkgutil platform poplib popen2 "
    "posix posixpath pprint profile pty py_compile pydoc requests resource runpy sched select setuptools shelve "
    "shlex shutil signal site smtplib socket socketserver sqlite3 ssl subprocess sys sysconfig tarfile telnetlib "
    "tempfile test threading timeit tkinter trace traceback types unittest urllib urllib2 urllib3 uuid venv "
    "webbrowser winreg xmlrpc yaml zipapp zipfile zipimport"
)
_PARTS = (
    "os posix nt subprocess sys ctypes importlib runpy marshal pty socket shutil builtins __builtin__ "
    "system popen eval exec execfile compile __import__ getattr setattr delattr __getattribute__ __globals__ "
    "__builtins__ __subclasses__ __reduce__ __reduce_ex__ __setstate__ __code__ Popen check_output check_call "
    "import_module run_module run_path load_module exec_module testing f2py distutils _load_from_bytes hub "
    "cpp_extension load_library open"
)
_HARMFUL_MODULES = frozenset(_MODULES.split())
_HARMFUL_ANYWHERE = frozenset(_PARTS.split())
_LOADERS = re.compile(
    r"(?:joblib|torch|numpy|pandas|cloudpickle|dill|skops|mlflow)(?:\.\w+)*\.(?:load\w*|read_\w+|open\w*)"
)


def judge_import(name: str) -> Judged:
    """Whether a dotted name is known to be harmless, known to be dangerous, or neither."""
    if name == COMPUTED:
        return "harm"
    if name in _EXACT or _PATTERNS.fullmatch(name):
        return "allowed"
    parts = name.split(".")
    if parts[0] in _HARMFUL_MODULES or not _HARMFUL_ANYWHERE.isdisjoint(parts) or _LOADERS.fullmatch(name):
        return "harm"
    return "unknown"


def forbidden(imports: Iterable[str], allowed: Collection[str]) -> frozenset[str]:
    """Those of `imports` that `allowed` does not name, by exact name or by a module and all in it (`sklearn.tree.*`).

    A name that a pickle only computes on the way (`?`) is never allowed, nor is one that could take over a machine
    allowed by a pattern: such a one must be named in full.
    """
    exact = {name for name in allowed if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in allowed if name.endswith(".*"))
    return frozenset(
        name
        for name in imports
        if name == COMPUTED
        or not (name in exact or (prefixes and name.startswith(prefixes) and judge_import(name) != "harm"))
    )
