"""The table of docs/models.md, from what was measured."""
import dataclasses
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).parents[2]
BEGIN, END = "<!-- made by bench/report_models -->", "<!-- end of what bench/report_models made -->"
SEQUENCES, LENGTH = 8, 128
HEAD = ["family", "FP32 error", "INT8 cosine: mean, least", "tokenizer: differences", "tasks", "longest input", "full size as",
        "Nybble INT8, tokens/s", "PyTorch FP32, tokens/s", "times as fast"]


@dataclasses.dataclass
class Row:
    family: object
    f32_error: float = float("nan")
    mean_cosine: float = float("nan")
    least_cosine: float = float("nan")
    goldens: int = 0
    texts: int = 0  # tokenized by the reference, too
    differences: int = 0
    tasks: tuple = ()
    longest_tokens: int = 0
    longest_seconds: float = float("nan")
    ours_ms: list = dataclasses.field(default_factory=list)
    torch_ms: list = dataclasses.field(default_factory=list)
    ran: int = 0  # nanoseconds that the threads of both had a core
    waited: int = 0  # and that they waited for one that another process had

    @property
    def share_waited(self):
        return self.waited / max(1, self.ran + self.waited)


def fill_goldens(row, figures):
    own = [values for folder, values in figures.items()
           if any(re.fullmatch(re.escape(start) + r"(-[^/]*)?", folder) for start in row.family.goldens)]
    if not own:
        raise SystemExit(f"report_models: no golden folder of {row.family.title}")
    row.goldens = len(own)
    row.f32_error = max(error for error, _, _ in own)
    row.mean_cosine = sum(mean for _, mean, _ in own) / len(own)
    row.least_cosine = min(least for _, _, least in own)


def tasks_of(family):
    """Embeddings, and the tasks whose golden answers are there."""
    files = {"sequence.npy": "classify, rerank", "token.npy": "ner", "masked.npy": "fill-mask"}
    found = [task for file, task in files.items()
             if any((REPOSITORY / "test/golden/tasks" / folder / "golden" / file).exists() for folder in family.tasks)]
    return ("embed", *found)


def parity_counts(printed):
    """{tokenizer: (texts compared, differences)} of what parity_families.py printed: real texts, hostile ones and pairs."""
    counts = {}
    for name, texts, differences in re.findall(r"^([\w-]+)[^:\n]*: (\d+) texts, \d+ tokens, (\d+) differences$", printed,
                                               re.MULTILINE):
        before = counts.get(name, (0, 0))
        counts[name] = (before[0] + int(texts), before[1] + int(differences))
    return counts


def fill_parity(row, counts):
    if row.family.tokenizer not in counts:
        raise SystemExit(f"report_models: test/tokenizer/families.py has no {row.family.tokenizer}")
    row.texts, row.differences = counts[row.family.tokenizer]


def line_of(row):
    tokens = SEQUENCES * LENGTH
    ours, theirs = tokens / min(row.ours_ms) * 1e3, tokens / min(row.torch_ms) * 1e3
    seconds = f"{row.longest_seconds:.2g} s" if row.longest_seconds < 10 else f"{row.longest_seconds:.0f} s"
    cells = [row.family.title, f"{row.f32_error:.1e}", f"{row.mean_cosine:.5f}, {row.least_cosine:.4f}",
             f"{row.differences} in {row.texts:,} texts (`{row.family.tokenizer}`)", ", ".join(row.tasks), f"{row.longest_tokens:,} in {seconds}", row.family.shape,
             f"{ours:,.0f}", f"{theirs:,.0f}" + ("" if row.family.model else " (our reference)"), f"{ours / theirs:.1f}"]
    return "| " + " | ".join(cells) + " |"


def disturbed(rows):
    """What the reader must know where others had the cores meanwhile."""
    names = [f"{row.family.title} ({row.share_waited:.0%})" for row in rows if row.share_waited > 0.03]
    return ["**Disturbed:** both waited for cores that other processes had, this share of their time, which is taken off: " +
            ", ".join(names) + ". Caches were shared, too: measure again on a machine at rest.", ""] if names else []


def table(rows, where):
    """`where`: what machine, how many threads, which commit."""
    lines = [BEGIN, "", f"Measured on {where}.", "", *disturbed(rows), "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|",
             *map(line_of, rows), "", END]
    return "\n".join(lines)


def with_table(page, rows, where):
    """The page with the table in place of the one that it has."""
    start, stop = page.index(BEGIN), page.index(END) + len(END)
    return page[:start] + table(rows, where) + page[stop:]
