"""Measures rerank, classify and ner beside PyTorch on this machine and writes the table of docs/tasks.md.

Started by bench/report_tasks.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path += [str(HERE.parent / "peers")]
import machine
from engine_process import LineProcess, thread_environment
from measure import held

PAGE = REPOSITORY / "docs/tasks.md"
BEGIN, END = "<!-- made by bench/report_tasks -->", "<!-- end of what bench/report_tasks made -->"
HEAD = ["task", "a call", "PyTorch FP32, batch", "ms", "Nybble INT8, ms", "times as fast", "Nybble FP32, ms", "times as fast"]
QUERY = "Who wrote the program that rotates log files?"
BATCHES = (1, 8, 32)
START_SECONDS, CALL_SECONDS = 300, 300


def passages(count):
    """Paragraphs of the Jargon File as they stand, each once."""
    lines = (REPOSITORY / "test/golden/jargon/texts.txt").read_text(encoding="utf-8").split("\n")[27:27 + 130]
    return list(dict.fromkeys(line for line in lines if line.strip()))[:count]


def calls():
    texts = passages(100)
    return {"rerank": ("a query, 100 passages", [QUERY, *texts]), "classify": ("100 texts", texts),
            "ner": ("100 texts", texts)}


def contenders(task, folder, options):
    """(name, command): PyTorch with each batch size, and Nybble with each format."""
    peers = [(f"torch {batch}", [sys.executable, "-B", HERE / "pytorch.py", "serve", task, folder / task, batch])
             for batch in BATCHES]
    ours = [(weights, [options.build / "bench/task_speed", task, folder / task, weights]) for weights in ("int8", "f32")]
    return peers + ours


def check(task, found):
    """That Nybble in FP32 answers what PyTorch does, but for numbers of entities where two labels are nearly equal."""
    ours, theirs = found["f32"], found[f"torch {BATCHES[0]}"]
    far = [abs(a - b) > 1e-3 for a, b in zip(ours, theirs, strict=True)]
    if sum(far) > (0.02 * len(far) if task == "ner" else 0):
        raise SystemExit(f"report_tasks: {task}: {sum(far)} of {len(far)} answers differ from PyTorch's")


def measure(task, texts, folder, options):
    """{contender: the best call's milliseconds}, of rounds of one call each, in turns."""
    line, times, found = json.dumps(texts) + "\n", {}, {}
    started = [(name, LineProcess(list(map(str, command)), options.cpus, options.logs / f"{task}-{name}.log",
                                  thread_environment(1))) for name, command in contenders(task, folder, options)]
    try:
        for _, process in started:
            process.read(START_SECONDS)
        for turn in range(options.rounds + 1):
            with held(options.lock):
                for name, process in started:
                    process.write(line)
                    answer = process.read(CALL_SECONDS)
                    spent, found[name] = answer["ms"], answer["found"]
                    if turn > 0:  # the first call of each is not counted
                        times[name] = min(times.get(name, spent), spent)
            check(task, found)
    finally:
        for _, process in started:
            process.close()
    return times


def line_of(task, what, times):
    best = min((name for name in times if name.startswith("torch")), key=times.get)
    ratio = lambda name: f"{times[best] / times[name]:.1f}"
    cells = [task, what, best.split()[1], f"{times[best]:,.0f}", f"{times['int8']:,.1f}", ratio("int8"), f"{times['f32']:,.0f}",
             ratio("f32")]
    return "| " + " | ".join(cells) + " |"


def with_table(page, rows):
    where = f"{machine.cpu_title()}, one thread each, commit {machine.commit(REPOSITORY)}"
    table = "\n".join([BEGIN, "", f"Measured on {where}.", "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|", *rows,
                       "", END])
    start, stop = page.index(BEGIN), page.index(END) + len(END)
    return page[:start] + table + page[stop:]


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/report_tasks", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build", help="where Nybble is built")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="where the table goes")
    parser.add_argument("--lock", help="a file to hold locked while a call is timed, where several people measure")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.build = options.build.absolute()
    if not (options.build / "bench/task_speed").exists():
        raise SystemExit(f"report_tasks: expected {options.build / 'bench/task_speed'}; build it first: tools/build")
    options.cpus = machine.cpus_of_their_own(1)
    return options


def main():
    options = parse_options()
    folder = options.cache / "tasks"
    shutil.rmtree(folder, ignore_errors=True)
    options.logs = folder / "logs"
    options.logs.mkdir(parents=True)
    make = [sys.executable, "-B", HERE / "pytorch.py", "make", folder, options.cache / "all-MiniLM-L6-v2"]
    subprocess.run(list(map(str, make)), check=True)
    try:
        rows = []
        for task, (what, texts) in calls().items():
            rows.append(line_of(task, what, measure(task, texts, folder, options)))
            print(rows[-1], flush=True)
    finally:
        shutil.rmtree(folder)
    options.page.write_text(with_table(options.page.read_text(), rows))


if __name__ == "__main__":
    sys.exit(main())
