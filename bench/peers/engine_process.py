"""This side of an engine's process: a line of JSON there, a line of JSON back."""
import contextlib
import json
import os
import pathlib
import select
import subprocess
import tempfile

import numpy

import contenders


class EngineFailure(Exception):
    """Why an engine has no figures; the run goes on without it."""


class LineProcess:
    """A process that runs on these CPUs alone and answers lines on its stdin with lines on its stdout."""

    def __init__(self, command, cpus, log, environment=None):
        self.log, self.pending = log, b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"),
                                        env={**os.environ, **(environment or {})},
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def write(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise EngineFailure(self._last_words()) from None

    def read(self, seconds):
        """The next line as JSON. Ends the process where it takes longer."""
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                self.close()
                raise EngineFailure(f"no answer within {seconds} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise EngineFailure(self._last_words())
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise EngineFailure(answer["error"])
        return answer

    def scheduled(self):
        """Nanoseconds that its threads had a core, and that they waited for one."""
        ran = waited = 0
        for file in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread may end meanwhile
                running, waiting, _ = map(int, file.read_text().split())
                ran, waited = ran + running, waited + waiting
        return ran, waited

    def close(self):
        self.process.kill()
        self.process.wait()

    def _last_words(self):
        """Of a process that no longer reads or answers."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.close()
        lines = open(self.log).read().strip().splitlines()
        return f"exit code {self.process.returncode}" + (f": {lines[-1]}" if lines else "")


def thread_environment(threads):
    """Every pool that a library may start has as many threads as the engine is allowed."""
    count = str(threads)
    return {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count,
            "RAYON_NUM_THREADS": count, "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
            "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}


class Engine:
    """One contender on one model, warm."""

    START_SECONDS, CALL_SECONDS = 300, 400

    def __init__(self, contender, files, options):
        self.contender, self.files, self.options, self.note = contender, files, options, ""
        self.environment = {**thread_environment(options.threads), **contenders.isa_environment(options, contender.masked)}
        self.processes = {}  # by pooling; a peer pools as each request says, and has one

    def _start(self, pooling):
        log = self.options.logs / f"{self.files.name}-{self.contender.name}.log"
        return LineProcess(contenders.command_of(self.contender, self.files, pooling, self.options), self.options.cpus, log,
                           self.environment)

    def wait_until_ready(self):
        if self.contender.is_peer:
            one = self._start("")
            self.processes = dict.fromkeys(self.options.pooling, one)
            self.note = one.read(self.START_SECONDS)["note"]
        else:
            self.processes = {pooling: self._start(pooling) for pooling in self.options.pooling}

    def scheduled(self, case):
        return self.processes[case.pooling].scheduled()

    def time(self, case, batch, repeats):
        """Milliseconds of each of so many calls."""
        what, process = case.texts or case.ids, self.processes[case.pooling]
        if self.contender.is_peer:
            request = {case.kind: what, "batch": batch, "repeats": repeats, "pooling": case.pooling}
            process.write(json.dumps(request) + "\n")
            return process.read(self.CALL_SECONDS)["ms"]
        spent = []
        for _ in range(repeats):
            process.write(json.dumps(what) + "\n")
            spent.append(process.read(self.CALL_SECONDS)["ms_best"])
        return spent

    def rows(self, case, batch):
        """The embeddings that it gives."""
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "rows.npy")
            if self.contender.is_peer:
                process = self.processes[case.pooling]
                process.write(json.dumps({case.kind: case.texts or case.ids, "batch": batch, "repeats": 1,
                                          "pooling": case.pooling, "store": file}) + "\n")
                process.read(self.CALL_SECONDS)
            else:
                self._store_ours(case, folder, file)
            return numpy.load(file)

    def _store_ours(self, case, folder, file):
        given = os.path.join(folder, "input")
        with open(given, "w") as out:
            out.writelines((text if case.texts else json.dumps(text)) + "\n" for text in case.texts or case.ids)
        verb = ["embed", given] if case.texts else ["bench", "model", "--rounds", "1", "--ids-file", given]
        options = contenders.nybble_options(self.contender, self.files, case.pooling, self.options)
        done = subprocess.run([self.options.nybble, *verb, *options, "-o", file], capture_output=True, text=True,
                              env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise EngineFailure(done.stderr.strip() or f"exit code {done.returncode}")

    def close(self):
        for process in set(self.processes.values()):
            process.close()
