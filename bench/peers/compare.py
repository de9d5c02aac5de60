"""Runs the peers and Nybble side by side on this machine and writes a table and a picture.

Started by bench/peers/run.
"""
import argparse
import itertools
import pathlib
import sys

import cases
import contenders
import inputs
import machine
import measure
import report
from engine_process import Engine, EngineFailure
from model_files import MODELS, ModelFiles, say

REPOSITORY = inputs.REPOSITORY
MAX_TOKENS = 256  # texts are cut to this, as the default model's files say


def list_of(names):
    """A list between commas, of names out of `names`."""
    def parse(text):
        chosen = text.split(",")
        unknown = [word for word in chosen if word not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; expected some of {', '.join(names)}")
        return chosen
    return parse


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/peers/run", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    quick = [name for name in cases.NAMES if name != "8x128"]
    parser.add_argument("--models", type=list_of(MODELS), default=["minilm"], help=", ".join(MODELS))
    parser.add_argument("--cases", type=list_of(cases.NAMES), default=quick, help=", ".join(cases.NAMES))
    parser.add_argument("--engines", type=list_of(list(contenders.BY_NAME)), default=argparse.SUPPRESS,
                        help=f"some of {', '.join(contenders.BY_NAME)}; else all, Nybble's narrow weights with --isa alone")
    parser.add_argument("--isa", choices=("avx2",), default=argparse.SUPPRESS,
                        help="hold every engine to it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of every engine, each on a core of its own")
    parser.add_argument("--texts", type=int, default=128, help="how many for the case texts")
    parser.add_argument("--batch", type=int, help="for every peer, instead of the best of 16, 8, 4, 2, 1 for each")
    parser.add_argument("--pooling", type=list_of(("mean", "cls")), default=["mean"],
                        help="of every engine: mean, cls, or both, each case with each")
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build", help="where Nybble is built")
    parser.add_argument("--out", type=pathlib.Path, default=REPOSITORY / "bench/results", help="where the results go")
    parser.add_argument("--name", help="of the results' files, instead of one made from CPU, model and threads")
    parser.add_argument("--lock", help="a file to hold locked while a case is timed, where several people measure")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return complete(parser.parse_args())


def complete(options):
    options.max_tokens = MAX_TOKENS
    options.isa = getattr(options, "isa", None)
    options.engines = getattr(options, "engines", contenders.default_names(options.isa))
    options.build = options.build.absolute()
    options.nybble, options.peak = options.build / "nybble", options.build / "bench/peak_speed"
    options.logs = options.cache / "peers/logs"
    options.logs.mkdir(parents=True, exist_ok=True)
    options.cpus = machine.cpus_of_their_own(options.threads)
    for program in (options.nybble, options.peak):
        if not program.exists():
            raise SystemExit(f"peers: expected {program}; build it first: tools/build, or name another --build")
    return options


def start_engines(names, files, options):
    """The engines that run, by name, and why the others do not. One loads at a time: loading takes memory."""
    running, failed = {}, {}
    for name in names:
        engine = Engine(contenders.BY_NAME[name], files, options)
        try:
            engine.wait_until_ready()
            running[name] = engine
        except EngineFailure as failure:
            say(f"{name} did not start: {failure}")
            failed[name] = str(failure)
            engine.close()
    return running, failed


def run_model(model, options):
    files = ModelFiles(options.cache, model).provide()
    names = list(dict.fromkeys([*options.engines, contenders.REFERENCE]))
    say(f"{model}: starting {len(names)} engines")
    engines, failed = start_engines(names, files, options)
    peak = measure.Peak(options)
    try:
        if contenders.REFERENCE not in engines:
            raise SystemExit(f"peers: without {contenders.REFERENCE} there is nothing to compare with")
        timed = [engines[name] for name in options.engines if name in engines]
        tokenizer = inputs.load_tokenizer(files / "hf")
        runs = []
        for name, pooling in itertools.product(options.cases, options.pooling):
            case = cases.make(name, pooling, tokenizer, options)
            runs.append(measure.run_case(case, timed, engines[contenders.REFERENCE], peak, options))
            # After each case, so that what is known is kept if the run is ended.
            text = report.write(model, files, runs, engines, failed, options)
    finally:
        for engine in engines.values():
            engine.close()
        peak.close()
    print(text)
    say(f"{model}: the table and the picture are in {options.out}")


def main():
    options = parse_options()
    for model in options.models:
        try:
            run_model(model, options)
        except EngineFailure as failure:
            raise SystemExit(f"peers: {contenders.REFERENCE}, which the others are compared with: {failure}") from None


if __name__ == "__main__":
    sys.exit(main())
