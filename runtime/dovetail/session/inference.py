"""`InferenceSession`: onnxruntime's class of this name, over a plan."""

import os
import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from dovetail.plan import DeviceKind, Plan, RunError, shown, verdict_html, verdict_text
from dovetail.runtime import SIMULATOR, Array, Event, Executor, Value, to_array, to_value
from dovetail.session.binding import IOBinding
from dovetail.session.compiling import Loading, plan_of_model
from dovetail.session.futures import Callback, listed
from dovetail.session.node_arg import ModelMetadata, NodeArg, node_arg
from dovetail.session.placed import moved_lines, tell_placement
from dovetail.session.providers import CPU, GPU, NPU, Options, Providers, check_providers, choose_target

_PROVIDERS: Final[Mapping[DeviceKind, str]] = {"npu": NPU, "gpu": GPU, "cpu": CPU}


class InferenceSession:
    """Runs a plan, or a model that is compiled on first use and kept in a cache, with onnxruntime's calls.

    session = InferenceSession("model.onnx", providers=["NPUExecutionProvider", "CPUExecutionProvider"])
    outputs = session.run(None, {"x": x})
    """

    def __init__(
        self,
        path_or_bytes: str | os.PathLike[str] | bytes,
        sess_options: ort.SessionOptions | None = None,
        providers: Providers | None = None,
        provider_options: Options | None = None,
        *,
        strict: bool = False,
        emulate: bool = False,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
        binds: Mapping[str, str] | None = None,
    ) -> None:
        """Make a plan ready to run, and log its verdict in one line to `dovetail.session`.

        That line is a warning, which Python shows by itself, where a model's operators are not on the device that its
        providers put first. Else it is at INFO, as onnxruntime's own lines about placement are: show it with
        `logging.basicConfig(level=logging.INFO)`. `placement_summary()` has more.

        Args:
            path_or_bytes: A plan folder, an ONNX file, or the bytes of one.
            sess_options: The number of threads and whether to optimize are taken from it; what else it can say
                concerns how onnxruntime runs a whole model.
            providers: `NPUExecutionProvider`, `GPUExecutionProvider` and `CPUExecutionProvider`, or onnxruntime's own
                names, as names or (name, options); None for NPU and CPU. With a plan, those that it needs.
            provider_options: For a model: options in the order of the providers. All but the CPU have `target`, as
                in `dovetail compile -t`; without it, the environment variable DOVETAIL_TARGET or the installed
                vendor's package decides.
            strict: Raise instead of moving a partition to another device, and where the NPU takes nothing of a model.
            emulate: Run the partitions of an NPU on the CPU, with the NPU's rounding of floats.
            shapes: For a model: input -> its whole shape.
            dims: For a model: symbolic dimension -> size.
            binds: For a model: input -> constant, as text.

        Raises:
            DovetailError: If the model, plan, target or an option can't be used.
        """
        self._sess_options = ort.SessionOptions() if sess_options is None else sess_options
        _check_options(self._sess_options)
        loading = Loading({name: tuple(shape) for name, shape in (shapes or {}).items()}, dims or {}, binds or {})
        model = path_or_bytes if isinstance(path_or_bytes, bytes) else Path(path_or_bytes)
        is_plan = isinstance(model, Path) and model.is_dir()
        if is_plan:
            if loading != Loading():
                raise RunError(f"plan {shown(str(model))}: is compiled already; give sizes with a model only")
            plan = Path(os.fspath(model))  # type: ignore[arg-type]
            accelerator = None
        else:
            choice = choose_target(providers, provider_options)
            accelerator = choice.accelerator
            plan, is_temporary = plan_of_model(model, choice.target, loading)
            if is_temporary:
                weakref.finalize(self, shutil.rmtree, plan.parent, ignore_errors=True)
        self._executor = Executor(
            plan,
            strict=strict,
            emulate=emulate,
            verify=is_plan,  # a plan of the cache has been checked a moment ago
            optimize=self._sess_options.graph_optimization_level != ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
            threads=self._sess_options.intra_op_num_threads,
        )
        if is_plan:
            check_providers(providers, provider_options, _needed(self._executor.plan), plan.name)
        tell_placement(self._executor.plan, accelerator, strict=strict)

    @property
    def events(self) -> list[Event]:
        """What did not run where the plan put it, oldest first."""
        return self._executor.events

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array], run_options: object = None
    ) -> list[Array]:
        """Run once.

        Args:
            output_names: The outputs wanted; None or empty for all.
            input_feed: An array for every input.
            run_options: Not used; here for onnxruntime's callers.

        Returns:
            An array per output wanted, in that order.

        Raises:
            RunError: If feeds or names do not fit, or no device can run a partition.
        """
        names = list(output_names or (spec.name for spec in self._executor.plan.outputs))
        outputs = self._executor.run(input_feed, names)
        return [outputs[name] for name in names]

    def run_with_ort_values(
        self, output_names: Sequence[str] | None, input_dict_ort_values: Mapping[str, Value], run_options: object = None
    ) -> list[Value]:
        """Run once on tensors of onnxruntime; as `run`, with a tensor per output. Text comes in NumPy arrays."""
        feeds = {name: to_array(value, name) for name, value in input_dict_ort_values.items()}
        names = list(output_names or (spec.name for spec in self._executor.plan.outputs))
        return [to_value(array, name) for name, array in zip(names, self.run(names, feeds), strict=True)]

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Array],
        callback: Callback | None = None,
        user_data: Any = None,
        run_options: object = None,
    ) -> "Future[list[Array]]":
        """Begin a run, in the threads of the devices.

        Args:
            output_names: As for `run`.
            input_feed: As for `run`; must stay as it is until the run has ended.
            callback: Called as onnxruntime calls it, with the arrays, `user_data`, and an empty text; or with none
                and the error as text.
            user_data: Handed to the callback.
            run_options: Not used.

        Returns:
            What gives the arrays, or raises the error.
        """
        names = list(output_names or (spec.name for spec in self._executor.plan.outputs))
        return listed(self._executor.run_async(input_feed, names), names, callback, user_data)

    def run_many(
        self,
        output_names: Sequence[str] | None,
        input_feeds: Iterable[Mapping[str, Array]],
        *,
        depth: int | None = None,
    ) -> Iterator[list[Array]]:
        """Run one input after the other with all devices at work; see `Executor.run_many`."""
        names = list(output_names or (spec.name for spec in self._executor.plan.outputs))
        results = self._executor.run_many(input_feeds, names, depth=depth)
        return ([outputs[name] for name in names] for outputs in results)

    def reset(self) -> None:
        """Try the devices again that have failed or were missing."""
        self._executor.reset()

    def io_binding(self) -> IOBinding:
        """A binding for `run_with_iobinding`."""
        return IOBinding(self._executor)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: object = None) -> None:
        """Run once on what is bound; the results are in the binding."""
        iobinding.run()

    def get_inputs(self) -> list[NodeArg]:
        """The inputs, with onnxruntime's names of types."""
        return [node_arg(spec) for spec in self._executor.plan.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs, with onnxruntime's names of types."""
        return [node_arg(spec) for spec in self._executor.plan.outputs]

    def get_modelmeta(self) -> ModelMetadata:
        """What the model's makers say of it."""
        model = self._executor.plan.model
        return ModelMetadata(
            model.producer, model.graph, model.domain, model.description, model.version, dict(model.metadata)
        )

    def get_overridable_initializers(self) -> list[NodeArg]:
        """None: constants are compiled in."""
        return []

    def get_providers(self) -> list[str]:
        """The providers where partitions really run; an NPU that is emulated is a CPU. The CPU is always among them."""
        running = {where.removesuffix(SIMULATOR) for where in self._executor.placement.values()}
        kinds = {device.kind for device in self._executor.plan.devices if device.id in running}
        return [provider for kind, provider in _PROVIDERS.items() if kind in kinds or kind == "cpu"]

    def placement_summary(self) -> str:
        """The verdict of one screen, as the plan has it and, where a partition runs elsewhere, as it is here.

        Returns:
            Lines of a word and what there is to say of it: operators and predicted time per device, partitions,
            transfers, predicted latency and energy, and the main cause of fallback.
        """
        return "\n".join(
            (verdict_text(self._executor.plan), *moved_lines(self._executor.plan, self._executor.placement))
        )

    def _repr_html_(self) -> str:
        """The plan's verdict, as notebooks show it."""
        return verdict_html(self._executor.plan)

    def get_session_options(self) -> ort.SessionOptions:
        """The options that the session was made with."""
        return self._sess_options

    def end_profiling(self) -> str:
        """An empty name, as onnxruntime gives where profiling is off."""
        return ""


def _check_options(options: ort.SessionOptions) -> None:
    """Refuse what would be asked for in vain.

    Raises:
        RunError: If a file is wanted that only onnxruntime can write.
    """
    if options.enable_profiling:
        raise RunError("sess_options.enable_profiling: onnxruntime can't profile a plan; leave it False")
    if path := options.optimized_model_filepath:
        raise RunError(
            f"sess_options.optimized_model_filepath: a plan has no one optimized model, got {shown(path)}; "
            "leave it empty, or write a plan with `dovetail compile`"
        )


def _needed(plan: Plan) -> tuple[DeviceKind, ...]:
    """The kinds of the devices that a plan has partitions for."""
    return tuple(dict.fromkeys(partition.kind for partition in plan.partitions))
