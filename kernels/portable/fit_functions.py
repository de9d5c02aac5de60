#!/usr/bin/env python3
"""Fits the polynomials of functions.h and prints function_coefficients.h.

    python3 kernels/portable/fit_functions.py | clang-format > kernels/portable/function_coefficients.h

Each polynomial is the weighted minimax fit found by the Remez exchange on a dense grid, rounded to float at
the end. Needs nothing but Python's standard library.
"""
import math
import struct

GRID = 4000


def solve(matrix, right):
    """Gaussian elimination with partial pivoting."""
    n = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][j] * x[j] for j in range(i + 1, n))) / rows[i][i]
    return x


def extrema(errors, count):
    """The positions of `count` extrema of alternating sign, the largest kept where there are more."""
    peaks = []
    for i, e in enumerate(errors):
        if peaks and (e > 0) == (errors[peaks[-1]] > 0):
            if abs(e) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks


def remez(f, basis, weight, low, high):
    """Coefficients c minimising max |weight · (Σ c_j basis_j - f)| on [low, high], and that maximum."""
    n = len(basis)
    xs = [0.5 * (low + high) - 0.5 * (high - low) * math.cos(math.pi * i / GRID) for i in range(GRID + 1)]
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    values = [[b(x) for b in basis] for x in xs]
    # Chebyshev points, kept off the ends where a weight may be 0.
    points = [round(GRID * (i + 0.5) / (n + 1)) for i in range(n + 1)]
    for _ in range(60):
        matrix = [values[p] + [(-1) ** i / ws[p]] for i, p in enumerate(points)]
        c = solve(matrix, [fs[p] for p in points])[:n]
        errors = [w * (sum(a * b for a, b in zip(c, v)) - y) for w, v, y in zip(ws, values, fs)]
        found = extrema(errors, n + 1)
        if len(found) < n + 1 or found == points:
            break
        points = found
    return c, max(abs(e) for e in errors)


def powers(first, count):
    return [lambda x, j=j: x**j for j in range(first, first + count)]


def literal(value):
    """The nearest float as a hexadecimal literal, which every compiler reads to the same bits."""
    mantissa, exponent = struct.unpack("f", struct.pack("f", value))[0].hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent + "f"


def table(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr float {name}[{len(values)}] = {{")
    for i in range(0, len(values), 4):
        print("    " + ", ".join(literal(v) for v in values[i : i + 4]) + ",")
    print("};\n")


def normal_tail(a):
    """Φ(-a)"""
    return 0.5 * math.erfc(a / math.sqrt(2))


def fit_exp():
    limit = 0.5 * math.log(2) * 1.0001
    target = lambda r: (math.expm1(r) - r) / (r * r) if abs(r) > 1e-3 else 0.5 + r / 6 + r * r / 24
    c, error = remez(target, powers(0, 5), lambda r: r * r / math.exp(r) + 1e-12, -limit, limit)
    comment = f"exp(r) = 1 + r + r²·Σ c[j]·r^j for |r| ≤ ln 2 / 2, to {error:.1e} relative."
    table("kExpCoefficients", comment, c)


def fit_normal_tail(step, centres, degree):
    rows, worst = [], 0.0
    for i in range(centres):
        centre = i * step
        f = lambda t: normal_tail(centre + t)
        c, error = remez(f, powers(0, degree + 1), lambda t: 1 / normal_tail(centre + t), -step / 2, step / 2)
        rows.append(c)
        worst = max(worst, error)
    comment = f"Φ(-(j·{step} + t)) = Σ c[d][j]·t^d for |t| ≤ {step / 2}, to {worst:.1e} relative: c[d][8]."
    print(f"/// {comment}")
    print(f"inline constexpr float kNormalTail[{degree + 1}][{centres}] = {{")
    for d in range(degree + 1):
        values = [literal(row[d]) for row in rows]
        print("    {" + ", ".join(values[:4]) + ",\n     " + ", ".join(values[4:]) + "},")
    print("};\n")


def fit_gelu_q(limit):
    """max |a·(p(a)² - Φ(-a))| by Newton: each round is the fit that is linear in the change of p."""
    at = lambda c, a: sum(c[j] * a**j for j in range(5))
    worst = lambda c: max(
        abs(min(a, limit) * at(c, min(a, limit)) ** 2 - a * normal_tail(a)) for a in (i / 1000 for i in range(7000))
    )
    best = [0.7, 0.0, 0.0, 0.0, 0.0]
    target, weight = lambda a: math.sqrt(normal_tail(a)), lambda a: 2 * a * math.sqrt(normal_tail(a)) + 1e-7
    while True:
        c, _ = remez(target, powers(0, 5), weight, 0.0, limit)
        if worst(c) >= worst(best) - 1e-8:
            break
        best = c
        target = lambda a, c=c: at(c, a) - (at(c, a) ** 2 - normal_tail(a)) / (2 * (at(c, a) or 1e-9))
        weight = lambda a, c=c: 2 * a * abs(at(c, a)) + 1e-6
    comment = f"gelu(x) = max(x, 0) - a·(Σ c[j]·a^j)² with a = min(|x|, {limit}), to {worst(best):.2e}."
    table("kGeluQCoefficients", comment, best)


def fit_exp2_q(levels, degree):
    c, error = remez(lambda r: levels * 2**r, powers(0, degree + 1), lambda r: 1 / 2**r, -0.5, 0.5)
    comment = f"{levels} · 2^r = Σ c[j]·r^j for |r| ≤ 1/2, to {error / levels:.1e} relative."
    table(f"kExp2Of{levels}", comment, c)


def main():
    print("// Generated by fit_functions.py: do not edit.")
    print("#pragma once\n")
    print("namespace nybble::kernels {\n")
    fit_exp()
    fit_normal_tail(0.8, 8, 7)
    fit_gelu_q(3.7)
    fit_exp2_q(255, 3)
    fit_exp2_q(65535, 4)
    print("}  // namespace nybble::kernels")


main()
