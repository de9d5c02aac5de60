"""Rounds of all engines, interleaved, with the machine's peak between them."""
import contextlib
import dataclasses
import fcntl
import random
import statistics
import time

import numpy

import contenders
from engine_process import EngineFailure, LineProcess
from model_files import say

BATCH_SIZES = (16, 8, 4, 2, 1)
TURN_MS = 100  # calls of one engine follow each other for about this long, so that its weights are in the caches
MOST_CALLS = 50
HOPELESS = 1.25  # a batch size that much slower than the best so far ends the search
LONG_MS = 1500  # a call this long is not repeated in the search: what a first call costs is little of it
SETTLE_SECONDS = 0.25  # after which the threads of the engine that ran last no longer spin


@dataclasses.dataclass
class Result:
    """Of one engine in one case; `reason` says why there are no figures."""
    reason: str = ""
    batch: int = 0
    ms: list = dataclasses.field(default_factory=list)
    mean_cosine: float = float("nan")
    worst_cosine: float = float("nan")

    @property
    def best(self):
        return min(self.ms)

    @property
    def median(self):
        return statistics.median(self.ms)


class Peak:
    """What all threads together could do, in GMAC/s."""

    def __init__(self, options):
        self.process = LineProcess([str(options.peak), str(options.threads)], options.cpus, options.logs / "peak.log",
                                   contenders.isa_environment(options))

    def measure(self):
        self.process.write("\n")
        return self.process.read(10)

    def close(self):
        self.process.close()


@contextlib.contextmanager
def held(lock):
    """Holds a lock file, if one is named: others who measure on this machine wait meanwhile."""
    if not lock:
        yield
        return
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def warm_time(engine, case, batch):
    """Milliseconds of a call after the first of its shape."""
    first = engine.time(case, batch, 1)[0]
    return first if first > LONG_MS else engine.time(case, batch, 1)[0]


def best_batch(engine, case, fixed):
    """The batch size that suits a peer best. Nybble batches by itself."""
    if not engine.contender.is_peer or len(case.ids) == 1:
        return len(case.ids)
    times = {}
    for size in [fixed] if fixed else [size for size in BATCH_SIZES if size <= len(case.ids)]:
        times[size] = warm_time(engine, case, size)
        if times[size] > HOPELESS * min(times.values()):
            break
    return min(times, key=times.get)


def cosines(rows, reference):
    products = (rows * reference).sum(axis=1)
    return products / (numpy.linalg.norm(rows, axis=1) * numpy.linalg.norm(reference, axis=1))


def prepare(engine, case, reference, options):
    """Finds the batch size and compares the embeddings with FP32."""
    result = Result(batch=best_batch(engine, case, options.batch))
    rows = engine.rows(case, result.batch)
    if rows.shape != reference.shape:
        raise EngineFailure(f"it gives {rows.shape} numbers, where {reference.shape} are expected")
    if not numpy.isfinite(rows).all():
        raise EngineFailure("its embeddings hold NaN or infinity")
    similar = cosines(rows.astype(numpy.float64), reference.astype(numpy.float64))
    result.mean_cosine, result.worst_cosine = float(similar.mean()), float(similar.min())
    return result


class CaseRun:
    """One case with the engines that can run it."""

    def __init__(self, case, engines, peak, options):
        self.case, self.engines, self.peak, self.options = case, engines, peak, options
        self.results, self.peaks, self.repeats = {}, [], {}
        self.ran = self.waited = 0  # nanoseconds of all engines in their turns

    def _try(self, engine, work):
        name = engine.contender.name
        try:
            return work()
        except EngineFailure as failure:
            say(f"{self.case.name}: {name} failed: {failure}")
            self.results[name] = Result(reason=str(failure))
            return None

    def prepare(self, reference):
        for engine in self.engines:
            result = self._try(engine, lambda: prepare(engine, self.case, reference, self.options))
            if result is None:
                continue
            self.results[engine.contender.name] = result
            spent = self._try(engine, lambda: warm_time(engine, self.case, result.batch))
            if spent is not None:
                self.repeats[engine.contender.name] = max(1, min(MOST_CALLS, round(TURN_MS / spent)))

    def turn(self, engine):
        name = engine.contender.name
        if self.options.threads > 1:
            time.sleep(SETTLE_SECONDS)
        self.peaks.append(self.peak.measure())
        before = engine.scheduled(self.case)
        spent = self._try(engine, lambda: engine.time(self.case, self.results[name].batch, self.repeats[name]))
        if spent:
            self.results[name].ms += spent
            ran, waited = engine.scheduled(self.case)
            self.ran, self.waited = self.ran + ran - before[0], self.waited + waited - before[1]

    def run(self):
        order = random.Random(1)
        for _ in range(self.options.rounds):
            running = [engine for engine in self.engines if not self.results[engine.contender.name].reason]
            for engine in order.sample(running, len(running)):
                self.turn(engine)
        self.peaks.append(self.peak.measure())

    @property
    def share_waited(self):
        """The share of the engines' time in which another process had their core: figures are too low by about that."""
        return self.waited / max(1, self.ran + self.waited)

    @property
    def peak_gmac_s(self):
        return max(peak["integer_gmac_s"] for peak in self.peaks)


def run_case(case, engines, reference_engine, peak, options):
    able = [engine for engine in engines if case.kind in engine.contender.cases]
    run = CaseRun(case, able, peak, options)
    with held(options.lock):
        start = time.monotonic()
        run.prepare(reference_engine.rows(case, min(8, len(case.ids))))
        run.run()
        say(f"{case.name}: {time.monotonic() - start:.0f} s")
    return run
