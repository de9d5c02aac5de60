"""Writes a `precompiled_charsmap`: the rules of SentencePiece's normalizer as a double array (Aoe 1989), in the layout
that its readers expect: bytes of the array (little endian), the array's 32-bit units, the replacements, each ended by NUL.

A unit: bits 0 to 7 the label that leads to it, bit 8 whether a rule ends here, bits 10 to 30 the distance (XOR) from it
to where its children start. The child with label 0 is a leaf: bit 31, and where its replacement starts.
"""
import struct


def charsmap(rules):
    """`rules`: {text: replacement}, neither with NUL; no text empty."""
    blob, starts = bytearray(), {}
    for replacement in rules.values():
        if replacement not in starts:
            starts[replacement] = len(blob)
            blob += replacement.encode() + b"\0"
    units, free_from, bases = {0: 0}, 1, set()
    todo = [(0, 0, sorted((k.encode(), starts[v]) for k, v in rules.items()))]
    while todo:
        place, depth, entries = todo.pop()
        children = {}
        for key, value in entries:
            label = key[depth] if depth < len(key) else 0
            children.setdefault(label, []).append((key, value))
        while free_from in units:
            free_from += 1
        base = free_from ^ min(children)
        while base in bases or base ^ place >= 1 << 21 or any(base ^ label in units for label in children):
            base += 1
        bases.add(base)
        units[place] |= (place ^ base) << 10 | (0 in children) << 8
        for label, below in children.items():
            units[base ^ label] = label
            if label == 0:
                units[base] = 1 << 31 | below[-1][1]
            else:
                todo.append((base ^ label, depth + 1, below))
    array = [units.get(i, 0) for i in range((max(units) | 255) + 1)]
    return struct.pack(f"<I{len(array)}I", 4 * len(array), *array) + bytes(blob)
