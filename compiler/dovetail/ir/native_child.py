"""The child of `native`: reads a serialized model on standard input, writes it back with its inferred types.

Run as a script, with nothing of Dovetail imported: starting it costs what importing onnx costs. Its limits come as
arguments: bytes of memory, seconds of CPU time, and `values` to follow the values of shapes or `types` not to.
"""

import contextlib
import sys

import onnx


def limit(memory: int, seconds: int) -> None:
    """Make the kernel stop this process at `memory` bytes of address space or `seconds` of CPU time."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # resource is POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main() -> int:
    """Infer; on failure say why in one line on standard error."""
    limit(int(sys.argv[1]), int(sys.argv[2]))
    try:
        inferred = onnx.shape_inference.infer_shapes(sys.stdin.buffer.read(), data_prop=sys.argv[3] == "values")
    except Exception as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    sys.stdout.buffer.write(inferred.SerializeToString())
    return 0


if __name__ == "__main__":
    sys.exit(main())
