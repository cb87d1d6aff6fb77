"""What every ONNX Runtime session of the process has in common: threads and memory.

ONNX Runtime gives each session its own threads, which spin while they wait, and its own arena. Measured with 25
sessions of two convolutions each on 2 cores, one run takes 128 ms with the defaults and 28 threads; 4.6 ms with the
same threads told to stop spinning when a run ends; 3.7 ms and 4 threads with one pool for the process.

The one pool has a price: once it exists, ONNX Runtime refuses to make any session, also one of the host program, that
does not ask for it. So it is not made behind the host's back: `share_thread_pool` is for programs that own their
process, such as the command line, and everybody else gets threads of their own that do not spin.
"""

import threading
from functools import cache

import onnxruntime as ort

_shared = threading.Event()


def share_thread_pool(threads: int = 0) -> bool:
    """Let all ONNX Runtime sessions of this process use one pool of threads, from here on and for good.

    Every later `onnxruntime.InferenceSession` of the process must then set `use_per_session_threads = False`.

    Args:
        threads: How many; 0 for one per physical core.

    Returns:
        Whether the pool has this size. False where the host has made one before, which is then used as it is, or
        where this ONNX Runtime can't make one any more; the sessions work all the same.
    """
    try:
        ort.set_global_thread_pool_sizes(threads, 1)
    except Exception as problem:  # ONNX Runtime's errors have no common class
        if "already been created" in str(problem):
            _shared.set()
        return False
    _shared.set()
    return True


def note_shared_pool() -> None:
    """Remember that the host program has made a shared pool, which ONNX Runtime tells by an error only."""
    _shared.set()


def session_options(threads: int, optimize: bool, share_weights: bool = False) -> ort.SessionOptions:
    """Options for a session that lives well with others in the process.

    Args:
        threads: Threads of the session, 0 for one per physical core; without effect where the pool is shared.
        optimize: Whether ONNX Runtime may rewrite the model; without, results are bit for bit those of the operators.
        share_weights: Keep weights as they lie in the mapped file, once for all processes, rather than in the order
            that the CPU multiplies fastest, which is a copy for each.
    """
    options = ort.SessionOptions()
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if _shared.is_set():
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if share_weights:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if _has_shared_arena():
        options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _has_shared_arena() -> bool:
    """Register one CPU arena for the process; with an arena each, 25 sessions were seen to take 25 times the memory."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    try:
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, -1, -1, -1))
    except Exception:  # ONNX Runtime's errors have no common class; an arena each is no failure
        return False
    return True
