"""Measures every model family on this machine and writes the table of docs/models.md.

Started by bench/report_models.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path += [str(HERE.parent / "peers")]
import machine
from engine_process import EngineFailure, LineProcess, thread_environment
from measure import held
from shapes import BY_NAME, FAMILIES
from table import LENGTH, SEQUENCES, Row, fill_goldens, fill_parity, line_of, parity_counts, table, tasks_of, with_table

PAGE = REPOSITORY / "docs/models.md"
START_SECONDS, CALL_SECONDS = 300, 300


def say(text):
    print(f"report_models: {text}", file=sys.stderr, flush=True)


# ---- what the golden folders say ----

def golden_figures(options):
    """{folder: (largest FP32 error, mean INT8 cosine, least)}, as the test of all folders finds them."""
    done = subprocess.run([options.build / "test/runtime/families_test", "[.figures]"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"report_models: {done.stdout}{done.stderr}")
    lines = (line.split() for line in done.stdout.splitlines() if line.startswith("figures "))
    return {folder: tuple(map(float, rest)) for _, folder, *rest in lines}


# ---- what the comparison with the reference tokenizer says ----

def compare_tokenizers(options):
    """{tokenizer: (texts, differences)}."""
    done = subprocess.run([sys.executable, "-B", REPOSITORY / "test/tokenizer/parity_families.py", "--program",
                           options.build / "test/tokenizer/tokenize_lines"], capture_output=True, text=True,
                          env=os.environ | {"NYBBLE_JARGON": str(options.cache / "jargon.dict.dz"),
                                            "NYBBLE_NAMES": str(options.cache / "names")})
    counts = parity_counts(done.stdout)
    if not counts:
        raise SystemExit(f"report_models: {done.stdout}{done.stderr}")
    return counts


# ---- what is timed ----

def random_ids():
    source = random.Random(1)
    return [[source.randrange(1000, 20000) for _ in range(LENGTH)] for _ in range(SEQUENCES)]


class Ours:
    def __init__(self, folder, options):
        command = [options.build / "nybble", "bench", "model", "--serve-stdin", "--model", folder, "--threads", options.threads]
        self.process = LineProcess(list(map(str, command)), options.cpus, options.logs / "nybble.log")

    def time(self, ids):
        self.process.write(json.dumps(ids) + "\n")
        return self.process.read(CALL_SECONDS)["ms_best"]


class Torch:
    def __init__(self, family, folder, options):
        command = [sys.executable, "-B", HERE / "full_size.py", "serve", family.name, folder, options.threads]
        self.process = LineProcess(list(map(str, command)), options.cpus, options.logs / "torch.log",
                                   thread_environment(options.threads))
        self.process.read(START_SECONDS)

    def time(self, ids):
        self.process.write(json.dumps({"ids": ids, "repeats": 1}) + "\n")
        return self.process.read(CALL_SECONDS)["ms"][0]


def timed(engine, ids, row):
    """Milliseconds of a call, in proportion to the share of this turn in which its threads had the cores that they
    wanted. Notes in the row how long they had none."""
    before = engine.process.scheduled()
    spent = engine.time(ids)
    ran, waited = (now - then for now, then in zip(engine.process.scheduled(), before))
    row.ran += ran
    row.waited += waited
    return spent * ran / max(1, ran + waited)


def time_both(row, folder, options):
    """Rounds of one call of each, in turns, after one that is not counted."""
    engines = [Ours(folder, options), Torch(row.family, folder, options)]
    try:
        ids = random_ids()
        with held(options.lock):
            for engine in engines:
                engine.time(ids)
            for _ in range(options.rounds):
                row.ours_ms.append(timed(engines[0], ids, row))
                row.torch_ms.append(timed(engines[1], ids, row))
    finally:
        for engine in engines:
            engine.process.close()


def time_longest(row, folder, options):
    """One sequence of as many tokens as the config allows."""
    engine = Ours(folder, options)
    try:
        row.longest_tokens = row.family.longest
        with held(options.lock):
            start = time.monotonic()
            engine.process.write(f"{row.longest_tokens}\n")
            row.longest_seconds = engine.process.read(CALL_SECONDS)["ms_best"] / 1e3
            say(f"{row.family.title}: {row.longest_tokens} tokens, {time.monotonic() - start:.1f} s with loading")
    finally:
        engine.process.close()


def measure(row, options):
    folder = options.cache / "families" / row.family.name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-B", HERE / "full_size.py", "make", row.family.name, folder], check=True)
    try:
        time_both(row, folder, options)
        time_longest(row, folder, options)
    except EngineFailure as failure:
        raise SystemExit(f"report_models: {row.family.title}: {failure}") from None
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/report_models", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="some of " + ", ".join(BY_NAME) +
                        "; else all. The table is written where all are measured, and printed else")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of both, each on a core of its own")
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build", help="where Nybble is built")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="where the table goes")
    parser.add_argument("--keep", action="store_true", help="keep the models that were made")
    parser.add_argument("--lock", help="a file to hold locked while a family is timed, where several people measure")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.families if name not in BY_NAME]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(BY_NAME)}")
    return complete(options)


def complete(options):
    options.build = options.build.absolute()
    options.logs = options.cache / "families/logs"
    options.logs.mkdir(parents=True, exist_ok=True)
    options.cpus = machine.cpus_of_their_own(options.threads)
    for program in ("nybble", "test/runtime/families_test", "test/tokenizer/tokenize_lines"):
        if not (options.build / program).exists():
            raise SystemExit(f"report_models: expected {options.build / program}; build it first: tools/build")
    return options


def main():
    options = parse_options()
    chosen = [BY_NAME[name] for name in options.families] or FAMILIES
    figures = golden_figures(options)
    say("comparing tokenizers with the reference, a minute or two")
    parity = compare_tokenizers(options)
    rows = [Row(family, tasks=tasks_of(family)) for family in chosen]
    for row in rows:
        fill_goldens(row, figures)
        fill_parity(row, parity)
        measure(row, options)
        print(line_of(row), flush=True)
    threads = f"{options.threads} thread" + ("s" if options.threads > 1 else "")
    where = f"{machine.cpu_title()}, {threads}, commit {machine.commit(REPOSITORY)}"
    if options.families:
        print(table(rows, where))
    else:
        options.page.write_text(with_table(options.page.read_text(), rows, where))
        say(f"wrote the table of {options.page}")


if __name__ == "__main__":
    sys.exit(main())
