"""One row of a sweep: compile a model for a target, and boil the plan down to its figures."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dovetail.compiler.driver import compile_graph, prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.sweeping.record import SweepRecord
from dovetail.plan import DovetailError, Plan, best_single
from dovetail.plan.schema import ALL_ON
from dovetail.plan.totals import plan_totals
from dovetail.targets import Target


@dataclass(frozen=True, slots=True)
class SweepJob:
    """What makes a row. It can be pickled."""

    model: str
    """How the row names the model."""
    path: Path
    batch: int | None
    target: Target
    """With its overlays and fitted costs."""
    options: CompileOptions
    """What the placement is asked for; batch sizes, overlays and costs are not looked at."""

    def failed(self, error: str) -> SweepRecord:
        """The row of a job that has no figures."""
        return SweepRecord(self.model, self.batch, self.target.ref, error=" ".join(error.split()))


def run_job(job: SweepJob) -> SweepRecord:
    """Compile a model for a target. Nothing is written, and nothing is raised: an error is a row too."""
    options = replace(job.options, batch=job.batch, batches=())
    try:
        job.target.require_operators()
        plan = compile_graph(prepare(job.path, options), job.target, options).plan
    except DovetailError as error:
        return job.failed(str(error))
    except MemoryError:
        return job.failed("out of memory; use fewer --jobs")
    except Exception as error:  # a bug costs its own row
        return job.failed(
            f"a bug of Dovetail, {type(error).__name__}: {error}; report it with what 'dovetail inspect' prints for "
            "this model and target"
        )
    return _record(job, plan)


def _record(job: SweepJob, plan: Plan) -> SweepRecord:
    predicted = plan.predicted
    single = best_single(predicted, job.options.objective)
    return SweepRecord(
        model=job.model,
        batch=job.batch,
        target=plan.target,
        **asdict(plan_totals(plan)),
        period_ms=predicted.period_ms,
        single=single.name.removeprefix(ALL_ON) if single else "",
        single_latency_ms=single.latency_ms if single else None,
        single_energy_mj=single.energy_mj if single else None,
        gap=predicted.gap,
        timed_out=predicted.timed_out,
        source=predicted.source,
    )
