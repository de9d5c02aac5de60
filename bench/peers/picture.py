"""The picture of a run: for each case the speeds of all engines as bars, up to the machine's peak."""
from html import escape

import contenders

WIDTH, NAMES, BARS = 1000, 255, 430
RATIOS, COSINES = 880, 985  # right ends of the columns
ROW, GAP, HEAD, MARGIN = 18, 34, 44, 14
OURS, INT8, OTHER = "#c2410c", "#2563eb", "#94a3b8"


def colour_of(contender):
    if not contender.is_peer:
        return OURS if contender.name == contenders.OURS else "#fdba74"
    return INT8 if contender.is_int8 else OTHER


def text(x, y, content, size=12, anchor="start", weight="normal", fill="#1f2937"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{fill}">{escape(content)}</text>')


def bar(one, ours, y, peak):
    width = BARS * min(1, one.gmac_s / peak)
    label = f"{one.best:.2f} ms · {one.tokens_s:,.0f} tokens/s · {100 * one.peak_share:.0f} %"
    yield text(NAMES - 8, y + 13, one.contender.title.strip("*"), anchor="end",
               weight="bold" if one.contender.name == contenders.OURS else "normal")
    yield f'<rect x="{NAMES}" y="{y + 2}" width="{width:.1f}" height="{ROW - 4}" fill="{colour_of(one.contender)}"/>'
    yield text(NAMES + width + 6, y + 13, label, size=11, fill="#4b5563")
    if ours:
        yield text(RATIOS, y + 13, f"{one.best / ours.best:.2f}", anchor="end")
    yield text(COSINES, y + 13, f"{one.result.mean_cosine:.4f}", anchor="end")


def panel(run, figures, y):
    """The elements of one case, and where the next begins."""
    timed = sorted((one for one in figures.values() if not one.reason), key=lambda one: one.best)
    ours = next((one for one in timed if one.contender.name == contenders.OURS), None)
    elements = [text(MARGIN, y + 14, run.case.title, size=14, weight="bold"),
                text(NAMES + BARS, y + 14, f"peak {run.peak_gmac_s:.0f} GMAC/s", size=11, anchor="middle"),
                text(RATIOS, y + 14, "time to ours", size=11, anchor="end"),
                text(COSINES, y + 14, "mean cosine", size=11, anchor="end")]
    y += 20
    bottom = y + ROW * len(timed)
    elements.append(f'<line x1="{NAMES + BARS}" y1="{y}" x2="{NAMES + BARS}" y2="{bottom}" stroke="#6b7280" '
                    'stroke-dasharray="4 3"/>')
    for one in timed:
        elements += bar(one, ours, y, run.peak_gmac_s)
        y += ROW
    return elements, y + GAP - 10


def draw(title, pairs):
    elements, y = [text(MARGIN, 26, title, size=16, weight="bold")], HEAD
    for run, figures in pairs:
        more, y = panel(run, figures, y)
        elements += more
    elements.append(text(MARGIN, y, "Bars: GMAC/s of the linear layers on real tokens, best call of interleaved "
                         "rounds; the dashed line is what the multiply instruction alone reached.", size=11, fill="#4b5563"))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + MARGIN}" '
            f'viewBox="0 0 {WIDTH} {y + MARGIN}" font-family="sans-serif">\n<rect width="100%" height="100%" '
            'fill="white"/>\n' + "\n".join(elements) + "\n</svg>\n")
