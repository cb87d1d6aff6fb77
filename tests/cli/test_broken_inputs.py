"""What can't be used, over all commands: exit code 2, one line that names it and says what to do, nothing written."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.advice import ends_with_advice
from tests.cli.broken_files import make_folder
from tests.cli.calling import refusal

from dovetail.cli.main import COMMANDS

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")
pytestmark = posix

FULL = Path("/dev/full")

CASES = {
    "compile": """
        compile modle.onnx -t cpu-only                      | 'modle.onnx': does not exist; did you mean 'model.onnx'?
        compile folder.onnx -t cpu-only                     | 'folder.onnx': is a folder
        compile model.plan -t cpu-only                      | 'model.plan': is a folder
        compile '' -t cpu-only                              | 'MODEL': it is empty
        compile empty.onnx -t cpu-only                      | 'empty.onnx': is empty
        compile noise.onnx -t cpu-only                      | 'noise.onnx': is not ONNX
        compile cut.onnx -t cpu-only                        | 'cut.onnx': is not ONNX
        compile text.onnx -t cpu-only                       | 'text.onnx': is not ONNX
        compile picture.png -t cpu-only                     | 'picture.png': is not ONNX
        compile dangling.onnx -t cpu-only                   | reads the value 'nowhere'
        compile cycle.onnx -t cpu-only                      | in a cycle of 2 nodes
        compile same_value.onnx -t cpu-only                 | defines the value 'y', which is defined already
        compile unknown_operator.onnx -t cpu-only           | 'Relux' is not an operator
        compile unknown_domain.onnx -t cpu-only             | domain 'my.own' has no opset_import
        compile wrong_sizes.onnx -t cpu-only                | 'mm' (MatMul): ONNX does not allow it
        compile wrong_type.onnx -t cpu-only                 | 'both' (And): ONNX does not allow it
        compile wrong_attribute.onnx -t cpu-only            | 'pool' (MaxPool): kernel_shape
        compile no_weights.onnx -t cpu-only                 | file 'none.bin' is missing
        compile outside.onnx -t cpu-only                    | file '../secret.bin' holds '..'
        compile short_weights.onnx -t cpu-only              | the file 'short.bin' has 16
        compile loop.onnx -t cpu-only                       | 'loop.onnx': can't be read, too many levels
        compile gone.onnx -t cpu-only                       | 'gone.onnx': does not exist
        compile model.onnx/x -t cpu-only                    | 'model.onnx/x': can't be read
        compile pipe.onnx -t cpu-only                       | 'pipe.onnx': is a named pipe
        compile /dev/zero -t cpu-only                       | '/dev/zero': is a device
        compile model.onnx                                  | Missing option '-t'
        compile model.onnx text.onnx -t cpu-only            | extra argument (text.onnx)
        compile --verify                                    | Missing argument 'MODEL'
        compile model.onnx -t cpu-only --targt x            | '--targt'; did you mean '--target'?
        compile model.onnx -t cpu-onyl                      | 'cpu-onyl'; did you mean 'cpu-only'?
        compile model.onnx -t ''                            | unknown target ''; choose one of
        compile model.onnx -t cpu-only:hots                 | variant 'hots'; did you mean 'host'?
        compile model.onnx -t qualcomm-hexagon-htp:sm8651   | variant 'sm8651'; did you mean 'sm8650'?
        compile model.onnx -t feild.yaml                    | 'feild.yaml': does not exist; did you mean 'field.yaml'?
        compile model.onnx -t syntax.yaml                   | syntax.yaml, line 2: not valid YAML
        compile model.onnx -t field.yaml                    | field.yaml, line 3: vendr: no such field; did you mean
        compile model.onnx -t list.yaml                     | list.yaml, line 1: it must be a mapping
        compile model.onnx -t alias.yaml                    | alias.yaml, line 1: anchors and aliases
        compile model.onnx -t latin.yaml                    | 'latin.yaml': is not UTF-8
        compile model.onnx -t base.yaml                     | 'arm-ethos-u58'; did you mean 'arm-ethos-u85'?
        compile model.onnx -t deep.yaml                     | deep.yaml, line 1: not valid YAML
        compile model.onnx -t ./folder.onnx                 | 'folder.onnx': is a folder
        compile model.onnx -t ./pipe.onnx                   | 'pipe.onnx': is a named pipe
        compile model.onnx -t cpu-only -o none/out.plan     | 'none/out.plan': its folder does not exist
        compile model.onnx -t cpu-only -o text.onnx         | 'text.onnx': a file is there
        compile model.onnx -t cpu-only -o model.onnx/x.plan | 'model.onnx/x.plan': its folder does not exist
        compile model.onnx -t cpu-only -o full.plan         | 'full.plan': a folder that is not a plan is there
        compile model.onnx -t cpu-only -o /proc/out.plan    | '/proc/out.plan': can't be written
        compile model.onnx -t cpu-only --shape x            | 'x' must have the form NAME=1,3,224,224
        compile model.onnx -t cpu-only --shape x=1          | --shape x=1: the input has 2 dimensions
        compile model.onnx -t cpu-only --shape x=1,3        | --shape x=1,3: dimension 1 is 2, got 3
        compile model.onnx -t cpu-only --shape limt=1       | --shape limt: the model has no such input; did you mean
        compile model.onnx -t cpu-only --shape x=1,2 --shape x=1,2 | 'x' is given twice
        compile model.onnx -t cpu-only --shape x=99999999999999,2 | got 99999999999999
        compile model.onnx -t cpu-only --dim bach=1         | --dim bach
        compile model.onnx -t cpu-only --dim batch=nan      | got 'nan'
        compile model.onnx -t cpu-only --dim batch=-1       | got '-1'
        compile model.onnx -t cpu-only --bind limt=1        | --bind limt: the model has no such input; did you mean
        compile model.onnx -t cpu-only --bind limit=one     | 'one' is not a float32 number
        compile model.onnx -t cpu-only --bind limit=1,2     | the input has 1 elements, got 2 numbers
        compile model.onnx -t cpu-only --bind x=1           | the input's shape ['batch', 2] is not fixed
        compile model.onnx -t cpu-only --place cpu          | 'cpu' must have the form GLOB=DEVICE
        compile model.onnx -t cpu-only --place relux=cpu    | 'relux=cpu': no operator of the compiled model
        compile model.onnx -t cpu-only --place op:Rleu=cpu  | such a type; did you mean 'Relu'?
        compile model.onnx -t cpu-only --place relu=npu     | the target has no such device; did you mean 'cpu'?
        compile model.onnx -t arm-ethos-u85 --place scale=npu | 'scale' can't run on 'npu'
        compile model.onnx -t cpu-only --batch 0            | got '0'
        compile model.onnx -t cpu-only --batch 1,1          | '1,1' names a size twice
        compile model.onnx -t cpu-only --batch 99999999999  | got 99999999999
        compile model.onnx -t cpu-only --costs none.json    | 'none.json': does not exist
        compile model.onnx -t cpu-only --costs broken.json  | 'broken.json': Invalid JSON
        compile model.onnx -t cpu-only --costs other.json   | 'other.json': costs: Field required
        compile model.onnx -t cpu-only --overlay none.yaml  | 'none.yaml': does not exist
        compile model.onnx -t cpu-only --overlay overlay.yaml | overlay.yaml, line 5: answers
        compile model.onnx -t cpu-only --objective fast     | 'fast' is not one of 'latency'
        compile model.onnx -t cpu-only --max-latency-ms nan | '--max-latency-ms': nan is not a finite number
        compile model.onnx -t cpu-only --max-latency-ms inf | '--max-latency-ms': inf is not a finite number
        compile model.onnx -t cpu-only --max-latency-ms 1e999 | '--max-latency-ms': 1e999 is not a finite number
        compile model.onnx -t cpu-only --max-energy-mj -1   | '--max-energy-mj': -1.0 is not in the range
        compile model.onnx -t cpu-only --max-latency-ms 1e-30 | the latency must be at most 1e-30 ms
        compile model.onnx -t cpu-only --gap nan            | '--gap': nan
        compile model.onnx -t cpu-only --time-limit nan     | '--time-limit': nan
        compile model.onnx -t cpu-only --quantize int8      | --quantize needs samples
        compile model.onnx -t cpu-only --calibration x.npz  | --calibration and --min-snr-db belong to --quantize
        compile model.onnx -t arm-ethos-u85 --quantize int8 --calibration none.npz | 'none.npz': does not exist
        compile model.onnx -t arm-ethos-u85 --quantize int8 --calibration cut.npz | 'cut.npz' is no NumPy file
        compile model.onnx -t arm-ethos-u85 --quantize int8 --calibration x.npz | no array for input 'limit'
        compile model.onnx -t arm-ethos-u85 --quantize int8 --calibration x.npz --min-snr-db nan | '--min-snr-db': nan
        compile model.onnx -t cpu-only --learn out.yaml     | --learn belong to --verify
        compile model.onnx -t cpu-only --verify --learn none/out.yaml | --learn 'none/out.yaml'
        compile model.onnx -t cpu-only --verify --verify-inputs x.npz | 'x.npz': has no array for input 'limit'
        compile model.onnx -t cpu-only --verify --verify-limit-s nan | '--verify-limit-s': nan
    """,
    "inspect": """
        inspect none                                        | 'none' does not exist
        inspect modle.plan                                  | 'modle.plan' does not exist; did you mean 'model.plan'?
        inspect model.onnx                                  | 'model.onnx' is a model and needs a target
        inspect bare.plan                                   | 'bare.plan': is not a plan folder
        inspect lost.plan                                   | 'lost.plan': file 'partitions/000-cpu.onnx' is missing
        inspect changed.plan                                | 'partitions/000-cpu.onnx' is changed or truncated
        inspect added.plan                                  | 'partitions/more.bin' is not listed
        inspect edited.plan                                 | 'edited.plan': file 'plan.json' is changed
        inspect newer.plan                                  | 'newer.plan': plan.json: schema_version
        inspect older.plan                                  | 'older.plan': plan.json: schema_version
        inspect list.plan                                   | 'list.plan': plan.json: expected an object
        inspect binary.plan                                 | 'binary.plan': plan.json: is not UTF-8
        inspect escaping.plan                               | file '../model.onnx' holds '..'
        inspect piped.plan                                  | 'piped.plan': is not a plan folder
        inspect pipe.onnx -t cpu-only                       | 'pipe.onnx': is a named pipe
        inspect loop.onnx -t cpu-only                       | 'loop.onnx': can't be read, too many levels
        inspect model.plan -t cpu-only                      | leave out --target
        inspect model.plan --shape x=1,2                    | leave out --shape
        inspect model.plan --format jsn                     | 'jsn' is not one of 'text'
        inspect model.plan --what-if relu=npu               | --what-if compiles
        inspect model.plan --pareto                         | --pareto compiles
        inspect model.onnx -t cpu-only --pareto --what-if relu=cpu | show different things
        inspect model.onnx -t cpu-only --what-if relu=npuu  | no such device; choose 'cpu'
        inspect model.onnx -t cpu-only --what-if rleu=cpu   | such a name; did you mean 'relu'?
        inspect model.onnx -t cpu-only --batch 1,2 --pareto | --pareto shows one batch size
        inspect model.plan -o none/report.txt               | 'none/report.txt': its folder does not exist
        inspect model.plan -o folder.onnx                   | 'folder.onnx': is a folder
        inspect model.plan -o ''                            | it is empty
        inspect model.plan -o /dev/full                     | '/dev/full': can't be written, No space left
    """,
    "explain": """
        explain none.plan relu                              | 'none.plan' does not exist
        explain model.plan rleu                             | 'rleu'; did you mean 'relu'?
        explain model.plan ''                               | an empty name names no operator
        explain model.plan 'zzz*'                           | no operator is named 'zzz*'
        explain model.plan l                                | 'l' must name one operator, got 2
        explain model.onnx relu                             | 'model.onnx' is a model and needs a target
        explain changed.plan relu                           | 'partitions/000-cpu.onnx' is changed
        explain noise.onnx relu -t cpu-only                 | 'noise.onnx': is not ONNX
        explain model.plan                                  | 'model.plan'
        explain DV999                                       | 'DV999'
        explain dtpye                                       | 'dtpye'
    """,
    "run": """
        run none.plan --random 0                            | 'none.plan': does not exist
        run model.onnx --random 0                           | 'model.onnx': is not a plan folder but a file
        run lost.plan --random 0                            | 'lost.plan': file 'partitions/000-cpu.onnx' is missing
        run piped.plan --random 0                           | 'piped.plan': is not a plan folder
        run model.plan                                      | no value for 'x', 'limit'
        run model.plan --input x=x.npy                      | no value for 'limit'
        run model.plan --random -1                          | '--random': -1 is not in the range
        run model.plan --random x                           | '--random': 'x'
        run model.plan --random 0 --repeat -1               | '--repeat': -1
        run model.plan --random 0 --batch 2                 | not for batch 2
        run model.plan --random 0 --input limt=limit.npy    | --input limt: the plan has no such input; did you mean
        run model.plan --random 0 --input x                 | 'x' must have the form NAME=FILE.npy
        run model.plan --random 0 --input x=xx.npz          | file 'xx.npz': does not exist
        run model.plan --random 0 --input x=folder.onnx     | file 'folder.onnx': is a folder
        run model.plan --random 0 --input x=pipe.onnx       | file 'pipe.onnx': is a named pipe
        run model.plan --random 0 --input x=/dev/zero       | file '/dev/zero': is a device
        run model.plan --random 0 --input x=empty.onnx      | 'empty.onnx' is no NumPy file
        run model.plan --random 0 --input x=text.onnx       | 'text.onnx' is no NumPy file
        run model.plan --random 0 --input x=objects.npy     | 'objects.npy' is no NumPy file
        run model.plan --random 0 --input x=x.npz           | 'x.npz' holds several arrays
        run model.plan --input x=rank.npy --input limit=limit.npy | input 'x': must have rank 2
        run model.plan --input x=type.npy --input limit=limit.npy | input 'x': must be float32, got int64
        run model.plan --input x=size.npy --input limit=limit.npy | input 'x': dimension 1 must be 2
        run model.plan --random 0 --output none/out.npz     | 'none/out.npz': its folder does not exist
        run model.plan --random 0 --output folder.onnx      | 'folder.onnx': is a folder
        run model.plan --random 0 --trace none/out.json     | 'none/out.json': its folder does not exist
        run model.plan --random 0 --trace folder.onnx       | 'folder.onnx': is a folder
        run fixed.plan --random 0 --output /dev/full        | '/dev/full': can't be written, No space left
        run fixed.plan --random 0 --trace /dev/full         | '/dev/full': can't be written, No space left
    """,
    "verify": """
        verify none.plan model.onnx                         | 'none.plan': does not exist
        verify model.onnx model.plan                        | 'model.plan': is a folder
        verify model.plan modle.onnx                        | 'modle.onnx': does not exist; did you mean 'model.onnx'?
        verify model.plan folder.onnx                       | 'folder.onnx': is a folder
        verify model.plan noise.onnx                        | 'noise.onnx': is not ONNX
        verify model.plan empty.onnx                        | 'empty.onnx': is empty
        verify model.plan dangling.onnx                     | reads the value 'nowhere'
        verify model.plan pipe.onnx                         | 'pipe.onnx': is a named pipe
        verify model.plan model.onnx --samples 0            | '--samples': 0
        verify model.plan model.onnx --tolerance nan        | '--tolerance': nan
        verify model.plan model.onnx --tolerance -1         | '--tolerance': -1.0
        verify model.plan model.onnx --inputs none.npz      | 'none.npz': does not exist
        verify model.plan model.onnx --inputs x.npy         | 'x.npy' holds one array without a name
        verify model.plan model.onnx --inputs x.npz         | 'x.npz': no array for 'limit'
        verify model.plan model.onnx --inputs pipe.onnx     | 'pipe.onnx': is a named pipe
    """,
    "calibrate": """
        calibrate -t cpu-only -o costs.json                 | Missing argument 'MODEL...'
        calibrate none.onnx -t cpu-only -o costs.json       | 'none.onnx': does not exist
        calibrate noise.onnx -t cpu-only -o costs.json      | 'noise.onnx': is not ONNX
        calibrate model.onnx -t cpu-onyl -o costs.json      | 'cpu-onyl'; did you mean 'cpu-only'?
        calibrate model.onnx -t cpu-only                    | Missing option '-o'
        calibrate model.onnx -t cpu-only -o none/costs.json | 'none/costs.json': its folder does not exist
        calibrate model.onnx -t cpu-only -o folder.onnx     | 'folder.onnx': is a folder
        calibrate model.onnx -t cpu-only -o c.json --source vela | 'cpu-only:host': vela
    """,
    "check": """
        check none.plan --max-partitions 1                  | 'none.plan': does not exist
        check model.onnx --max-partitions 1                 | 'model.onnx': is not a plan folder but a file
        check model.plan                                    | there is no budget to check
        check model.plan --max-partitions many              | '--max-partitions': 'many'
        check model.plan --max-partitions -1                | '--max-partitions': -1
        check model.plan --max-latency-ms nan               | '--max-latency-ms': nan
        check model.plan --max-partitions 1 -t arm-ethos-u85 | is for target 'cpu-only:host'
        check model.plan --max-partitions 1 -t cpu-onyl     | 'cpu-onyl'; did you mean 'cpu-only'?
        check model.plan --baseline none.plan               | 'none.plan': does not exist
        check model.plan --baseline changed.plan            | 'changed.plan': file 'partitions/000-cpu.onnx'
        check model.plan --max-partitions 1 --tolerance 3   | --tolerance belongs to --baseline
        check model.plan --max-partitons 1                  | '--max-partitons'; did you mean '--max-
        check model.plan --max-partitions 1 --junit none/o.xml | 'none/o.xml': its folder does not exist
        check model.plan --max-partitions 1 --junit /dev/full | '/dev/full': can't be written, No space left
        check model.plan --format xml                       | 'xml' is not one of 'text'
    """,
    "diff": """
        diff model.plan                                     | Missing argument 'B.plan'
        diff model.plan modle.plan                          | 'modle.plan': does not exist; did you mean 'model.plan'?
        diff bare.plan model.plan                           | 'bare.plan': is not a plan folder
        diff model.plan newer.plan                          | 'newer.plan': plan.json: schema_version
        diff model.plan model.onnx                          | 'model.onnx': is not a plan folder but a file
        diff model.plan model.plan --format html            | 'html' is not one of 'text'
    """,
    "sweep": """
        sweep -t cpu-only                                   | Missing argument 'MODEL...'
        sweep model.onnx                                    | Missing option '-t'
        sweep none.onnx -t cpu-only                         | 'none.onnx': does not exist
        sweep model.onnx -t cpu-onyl                        | 'cpu-onyl'; did you mean 'cpu-only'?
        sweep model.onnx -t cpu-only,                       | 'cpu-only,' must have the form
        sweep model.onnx -t cpu-only --batch x              | got 'x'
        sweep model.onnx -t cpu-only --engine spark         | 'spark' is not one of 'local'
        sweep model.onnx -t cpu-only --jobs 0               | '--jobs': 0
        sweep model.onnx -t cpu-only --limit-s nan          | '--limit-s': nan
        sweep model.onnx -t cpu-only --ray-address a:1      | --ray-address belongs to --engine ray
        sweep model.onnx -t cpu-only -o none/x.md           | 'none/x.md': its folder does not exist
    """,
    "export": """
        export model.plan                                   | nothing to write
        export none.plan --netron out.onnx                  | 'none.plan': does not exist
        export model.onnx --netron out.onnx                 | 'model.onnx': is not a plan folder but a file
        export changed.plan --netron out.onnx               | 'partitions/000-cpu.onnx' is changed
        export model.plan --netron none/out.onnx            | 'none/out.onnx': its folder does not exist
        export model.plan --netron folder.onnx              | 'folder.onnx': is a folder
        export model.plan --netron /dev/full                | '/dev/full': can't be written, No space left
        export model.plan --model-explorer none/out.json    | 'none/out.json': its folder does not exist
        export model.plan --model-explorer folder.onnx      | 'folder.onnx': is a folder
    """,
    "targets": """
        targets shw                                         | 'shw'; did you mean 'show'?
        targets show                                        | Missing argument
        targets show cpu-onyl                               | 'cpu-onyl'; did you mean 'cpu-only'?
        targets show qualcomm-hexagon-htp:sm8651            | 'sm8651'; did you mean 'sm8650'?
        targets show syntax.yaml                            | syntax.yaml, line 2
        targets check none.yaml                             | 'none.yaml': does not exist
        targets check folder.onnx                           | 'folder.onnx': is a folder
        targets check picture.png                           | 'picture.png': is not UTF-8
        targets check pipe.onnx                             | 'pipe.onnx': is a named pipe
        targets probe cpu-onyl model.onnx                   | 'cpu-onyl'; did you mean 'cpu-only'?
        targets probe cpu-only none.onnx                    | 'none.onnx': does not exist
        targets probe cpu-only model.onnx -o none/x.yaml    | 'none/x.yaml': its folder does not exist
    """,
    "passes": """
        passes shw                                          | 'shw'; did you mean 'show'?
        passes show                                         | Missing argument 'NAME'
        passes show fuse-batchnorm                          | 'fuse-batchnorm'; did you mean 'fuse-batch-norm'?
        passes show zzz                                     | 'zzz'; choose one of
    """,
    "completion": """
        completion                                          | Missing argument
        completion tcsh                                     | 'tcsh'
    """,
}
"""Command -> a line for each call: the arguments, and what the message must hold, which names the object."""


def cases() -> Iterator[tuple[str, str]]:
    for text in CASES.values():
        for line in text.strip().splitlines():
            call, _, words = line.partition(" | ")
            if FULL.is_char_device() or str(FULL) not in call:
                yield call.strip(), words.strip()


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    make_folder(folder)
    return folder


@pytest.fixture
def here(broken: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(broken)
    return broken


def state(folder: Path) -> list[tuple[str, int, int]]:
    """Every file with its size and when it was written."""
    found = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(str(path), status.st_size, status.st_mtime_ns) for path, status in found]


def test_every_command_is_tried() -> None:
    assert CASES.keys() == COMMANDS.keys()
    assert all(call.split()[0] == command for command, text in CASES.items() for call in text.strip().splitlines())


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("call", "words"), list(cases()))
def test_one_line_names_it_and_says_what_to_do(here: Path, call: str, words: str) -> None:
    before = state(here)

    line = refusal(*shlex.split(call))

    assert line.startswith("error: ")
    assert words in line
    assert ends_with_advice(line), line
    assert state(here) == before


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("error: model 'a': is empty; give a file with content", True),
        ("error: no command 'cmopile'; did you mean 'compile'?", True),
        ("error: the model's input 'x; give': is odd", False),
        ("error: model 'a': is empty", False),
        ("error: model 'a': is empty; the file has no content", False),
        ("error: model 'a': is empty; give a file; it has none", False),
        ("error: no such 'a' in the model's list; did you mean 'it; is'?", True),
        ("error: did you mean 'a'?", False),
    ],
)
def test_advice_is_an_imperative_behind_the_last_semicolon(line: str, good: bool) -> None:
    assert ends_with_advice(line) is good
