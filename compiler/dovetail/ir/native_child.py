"""The child of `native`: reads serialized models, writes them back with their inferred types, or what is wrong in them.

Run as a script, with nothing of Dovetail imported, and of onnx only the extension that infers: `import onnx` takes ten
times as long as all else here. The child stays for the next model and leaves by itself when none comes. A message is
a byte, its length in 8 bytes and its bytes. The byte of a question is 0 to infer types, and 1 to judge operators by
them; that of an answer is 1 for a model or a judgement, which has the words of all errors or is empty, and 0 for words
on why there is none.

Its limits come as arguments: bytes of memory, seconds of CPU time for each model, and `values` to follow the values
of shapes or `types` not to.
"""

import contextlib
import select
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

IDLE_S = 5.0
"""Seconds without a model after which the child leaves."""


def limit_memory(memory: int) -> None:
    """Make the kernel stop this process at `memory` bytes of address space."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # resource is POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def limit_time(seconds: int) -> None:
    """Make the kernel stop this process `seconds` of CPU time from now."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def questions() -> Iterator[tuple[bool, bytes]]:
    """Whether to judge, and the model; until the parent is gone or has had nothing to ask for a while."""
    source = sys.stdin.buffer
    while True:
        with contextlib.suppress(OSError):  # where pipes can't be watched, wait until the parent closes its end
            if not select.select([source], [], [], IDLE_S)[0]:
                return
        head = source.read(9)
        if len(head) < 9:
            return
        yield head[:1] == b"\1", source.read(int.from_bytes(head[1:], "big"))


def load_inference() -> Callable[[bytes, bool, bool, bool], bytes]:
    """What `onnx.shape_inference.infer_shapes` calls: model, check_type, strict_mode, data_prop."""
    onnx = find_spec("onnx")
    folders = None if onnx is None else onnx.submodule_search_locations
    extension = PathFinder.find_spec("onnx_cpp2py_export", folders)
    if extension is None or extension.loader is None:
        raise ImportError("onnx is not installed, or without its extension")
    module = module_from_spec(extension)
    extension.loader.exec_module(module)
    infer: Callable[[bytes, bool, bool, bool], bytes] = module.shape_inference.infer_shapes
    return infer


def main() -> None:
    """Answer model after model."""
    memory, seconds, follow = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "values"
    infer = load_inference()
    limit_memory(memory)
    for judge, model in questions():
        limit_time(seconds)
        try:
            answer = infer(model, judge, judge, follow and not judge)
            good, answer = b"\1", b"" if judge else answer
        except Exception as error:
            good, answer = b"\1" if judge else b"\0", " ".join(str(error).split()).encode()
        sys.stdout.buffer.write(good + len(answer).to_bytes(8, "big") + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
