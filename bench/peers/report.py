"""The table of a run, for people."""
import datetime
import json

import contenders
import inputs
import machine
import picture

AS_ACCURATE = 5e-4  # a mean cosine that much below ours still counts as ours
DISTURBED = 0.03  # of the time waited for a core


def macs_per_token(files):
    """Multiply-adds of the linear layers."""
    config = json.loads((files / "hf/config.json").read_text())
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    return config["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner)


class Figures:
    """What follows from one engine's times in one case."""

    def __init__(self, name, result, run, macs):
        self.contender, self.result, self.reason = contenders.BY_NAME[name], result, result.reason
        if self.reason or not result.ms:
            self.reason = self.reason or "not timed"
            return
        tokens = run.case.tokens
        self.best, self.median, self.batch = result.best, result.median, result.batch
        self.tokens_s = tokens / result.best * 1e3
        self.texts_s = len(run.case.ids) / result.best * 1e3
        self.gmac_s = self.tokens_s * macs / 1e9
        self.peak_share = self.gmac_s / run.peak_gmac_s


def figures_of(run, files):
    macs = macs_per_token(files)
    return {name: Figures(name, run.results[name], run, macs) for name in contenders.BY_NAME if name in run.results}


def timed(figures):
    return [one for one in figures.values() if not one.reason]


def rivals(figures, least_cosine=-1):
    """INT8 peers, the fastest first."""
    able = [one for one in timed(figures) if one.contender.is_peer and one.contender.is_int8
            and one.result.mean_cosine >= least_cosine]
    return sorted(able, key=lambda one: one.best)


def disturbance(run):
    """A sentence where the engines shared their cores with someone else; else ""."""
    if run.share_waited < DISTURBED:
        return ""
    return (f" **Disturbed**: in {100 * run.share_waited:.0f} % of their time the engines waited for a core that others had; "
            "the peak's loops are too short to.")


def ratio_text(one, ours):
    return f"{one.best / ours.best:.2f}" if one and ours else "–"


def summary_row(run, figures):
    ours = figures.get(contenders.OURS)
    if not ours or ours.reason:
        return f"| {run.case.title} | – | – | – | – | – | – | – |"
    best = (rivals(figures) or [None])[0]
    accurate = (rivals(figures, ours.result.mean_cosine - AS_ACCURATE) or [None])[0]
    bf16 = next((one for one in timed(figures) if one.contender.name == "torch-bf16"), None)
    cells = [run.case.title, f"{ours.best:.2f}", f"{100 * ours.peak_share:.0f} %"]
    for one in (best, accurate):
        cells += [f"{one.contender.title}, {one.best:.2f}" if one else "–", f"**{ratio_text(one, ours)}**"]
    return "| " + " | ".join([*cells, ratio_text(bf16, ours)]) + " |"


def case_row(one, ours):
    title = one.contender.title
    if one.reason:
        return f"| {title} | {one.reason.splitlines()[0][:160].replace('|', '/')} ||||||||"
    same = one.contender.name == contenders.OURS
    cells = [title, f"{one.best:.2f}", f"{one.median:.2f}", f"{one.tokens_s:,.0f}", f"{one.gmac_s:.1f}",
             f"{100 * one.peak_share:.1f} %", "1" if same else ratio_text(one, ours),
             f"{one.result.mean_cosine:.5f}, {one.result.worst_cosine:.5f}",
             str(one.batch) if one.contender.is_peer else "–"]
    return "| " + " | ".join(cells) + " |"


def case_section(run, figures):
    ours = figures.get(contenders.OURS)
    ours = None if not ours or ours.reason else ours
    order = sorted(timed(figures), key=lambda one: one.best) + [one for one in figures.values() if one.reason]
    yield f"## {run.case.title}\n"
    yield (f"{run.case.tokens:,} tokens. Peak in these rounds: {run.peak_gmac_s:.0f} GMAC/s by "
           f"{run.peaks[0]['instruction']}.{disturbance(run)}\n")
    yield "| engine | best ms | median ms | tokens/s | GMAC/s | of peak | time to ours | cosine: mean, worst | batch |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from (case_row(one, ours) for one in order)
    yield ""


HOW_TO_READ = """\
Each engine stayed warm in a process of its own, on the same cores; its calls of a round follow each other for about 0.1 s, then comes the next
engine's turn, in an order drawn anew for each round. Ratios are of the best calls of this run; times of two runs may not be compared, since cores
change speed. With ids given, a peer's time is that of its passes over ready batches, padding and pooling left out, and Nybble's is that of the whole call.
With texts, everything from texts to normalized embeddings counts. GMAC/s counts the linear layers on real tokens (with CLS pooling, too, all rows of the last layer, which Nybble leaves out: its share says then what it saves), the share is of what
a loop of nothing but the multiply instruction reached between the turns. Cosines are to PyTorch FP32. Batch is the size that suited the engine best;
sequences are sorted by length and padded to the longest of their batch.
"""


HELD = """\
Every engine was held to {isa} on a CPU that has more: by its own switch, and ONNX Runtime by a copy of it that is told of no more. OpenVINO keeps
one AVX-512 kernel all the same (LayerNorm). The peak is that of products of 16 bits, as many as 8 bits can have there and be exact; fewer bits, and INT8 engines that let sums
saturate, multiply bytes at twice that.
"""


def title_of(model, options):
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    isa = f" held to {options.isa.upper()}" if options.isa else ""
    return f"{model}, {threads}, {machine.cpu_title()}{isa}"


def text_of(model, pairs, engines, failed, options, picture_name):
    date, commit = datetime.date.today().isoformat(), machine.commit(inputs.REPOSITORY)
    yield f"# Nybble beside its peers: {title_of(model, options)}\n"
    yield f"{date}, commit {commit}. Made by `bench/peers/run`, {options.rounds} rounds.\n"
    yield f"![{title_of(model, options)}]({picture_name})\n"
    yield "| case | Nybble INT8, ms | of peak | best INT8 peer, ms | ratio | best as accurate, ms | ratio | PyTorch BF16 |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from (summary_row(run, figures) for run, figures in pairs)
    yield f"\n{HOW_TO_READ}"
    if options.isa:
        yield HELD.format(isa=options.isa.upper())
    for run, figures in pairs:
        yield from case_section(run, figures)
    yield "## Versions\n"
    yield from (f"- {engine.contender.title}: {engine.note}" for engine in engines.values() if engine.note)
    yield from (f"- {contenders.BY_NAME[name].title} did not start: {why}" for name, why in failed.items())


def write(model, files, runs, engines, failed, options):
    """Writes table and picture; returns the table."""
    name = options.name or f"peers-{machine.cpu_slug()}"
    name = f"{name}-{model}-{options.threads}t" + ("-cls" if options.pooling == ["cls"] else "") + (f"-{options.isa}" if options.isa else "")
    pairs = [(run, figures_of(run, files)) for run in runs]
    options.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(text_of(model, pairs, engines, failed, options, f"{name}.svg")) + "\n"
    (options.out / f"{name}.md").write_text(text)
    (options.out / f"{name}.svg").write_text(picture.draw(title_of(model, options), pairs))
    return text
