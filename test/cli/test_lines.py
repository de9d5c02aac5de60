#!/usr/bin/env python3
"""What is a line, what is UTF-8, and what --field takes from JSON."""
import codecs
import json
import os
import random

from nybble_program import ProgramTest, main, run

BUFFER_BYTES = 1 << 16  # of the reader; the tests put lines across its borders


def decoded(line):
    """(text, parts, original): Python's reading of a line, how many parts of it were replaced, and for each offset of
    a character in the text's own UTF-8 the offset in the line."""
    ends, parts = {}, 0

    def replace(error):
        ends[error.start] = error.end
        return "\ufffd", error.end

    codecs.register_error("note", replace)
    text = line.decode("utf-8", "note")
    original, here, there = {0: 0}, 0, 0
    for character in text:
        size = len(character.encode())
        if there in ends:
            parts, there = parts + 1, ends[there]
        else:
            there += size
        here += size
        original[here] = there
    assert there == len(line)
    return text, parts, original


class Lines(ProgramTest):
    def tokenize(self, data):
        return [json.loads(line) for line in self.succeed("tokenize", stdin=data).split(b"\n")[:-1]]

    def lengths(self, data):
        """Bytes of each line that ends in a visible character: where its last token stops."""
        return [row["offsets"][-2][1] for row in self.tokenize(data)]

    def assert_lines(self, data, lines):
        """The program reads `data` as it reads these lines, each alone."""
        alone = [self.tokenize(line + b"\n")[0] for line in lines]
        self.assertEqual(self.tokenize(data), alone)
        rows = self.succeed("embed", "--format", "f32", stdin=data)
        self.assertEqual(len(rows), len(lines) * 40 * 4)
        self.assertEqual(rows, b"".join(self.succeed("embed", "--format", "f32", stdin=line + b"\n") for line in lines))

    def test_a_line_ends_in_newline_only_and_the_last_needs_none(self):
        self.assert_lines(b"one\ntwo", [b"one", b"two"])
        self.assert_lines(b"one\ntwo\n", [b"one", b"two"])

    def test_no_bytes_are_no_lines(self):
        self.assertEqual(self.tokenize(b""), [])
        self.assertEqual(self.succeed("embed", stdin=b""), b"")

    def test_an_empty_line_is_a_text_of_two_special_tokens(self):
        self.assertEqual([row["tokens"] for row in self.tokenize(b"\n\n\r\n")], [["[CLS]", "[SEP]"]] * 3)
        self.assert_lines(b"\n\none\n\n", [b"", b"", b"one", b""])

    def test_a_carriage_return_before_a_newline_is_no_part_of_the_text(self):
        self.assert_lines(b"one\r\ntwo\r\n\r\nthree", [b"one", b"two", b"", b"three"])

    def test_other_line_ends_of_unicode_end_no_line(self):
        for separator in ("\u2028", "\u2029", "\u0085", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\r\r"):
            data = f"one{separator}two".encode()
            self.assertEqual(self.lengths(data + b"\nx\n"), [len(data), 1], repr(separator))
            self.assertEqual(len(self.succeed("embed", stdin=data + b"\nx").split(b"\n")), 3)

    def test_a_zero_byte_is_a_byte_like_others(self):
        self.assertEqual(self.lengths(b"a\0b\nx\n"), [3, 1])

    def test_lines_lie_across_the_borders_of_the_buffer(self):
        for around in range(-2, 3):
            first = b"x" * (BUFFER_BYTES + around)
            for end in (b"\n", b"\r\n"):
                data = first + end + b"yy" + end + b"z" * 70_000 + end + b"u\rv" + end + b"w"
                self.assertEqual(self.lengths(data), [len(first), 2, 70_000, 3, 1], (around, end))

    def test_random_lines_are_cut_as_split_does(self):
        seed = random.randrange(1 << 32)
        source = random.Random(seed)
        lines = [b"x" * source.choice([1, 5, 1000, source.randrange(1, 140_000)]) for _ in range(60)]
        self.assertEqual(self.lengths(b"\n".join(lines)), [len(line) for line in lines], f"seed {seed}")

    def test_a_file_by_name_and_a_dash_are_read(self):
        file = self.folder / "texts.txt"
        file.write_bytes(b"one\ntwo\n")
        expected = self.succeed("embed", stdin=b"one\ntwo\n")
        self.assertEqual(self.succeed("embed", file), expected)
        with open(file, "rb") as opened:
            self.assertEqual(self.succeed("embed", "-", stdin=opened), expected)
        self.assertEqual(self.succeed("tokenize", file), self.succeed("tokenize", "-", stdin=b"one\ntwo\n"))

    def test_what_cannot_be_read_is_a_sentence(self):
        for command in ("embed", "tokenize"):
            self.assert_sentence(run(command, self.folder / "none"), str(self.folder / "none"), "No such file", code=1)
            self.assert_sentence(run(command, self.folder), str(self.folder), "Is a directory", code=1)
            closed = run(command, preexec_fn=lambda: os.close(0))
            self.assert_sentence(closed, "standard input", code=1)


class Utf8(ProgramTest):
    def test_invalid_parts_are_read_as_python_reads_them_and_offsets_are_those_of_the_bytes(self):
        seed = random.randrange(1 << 32)
        source = random.Random(seed)
        pieces = [b"a", b"word", b" ", "\u00e9".encode(), "\u4e2d".encode(), "\U0001f600".encode(), b"\xff",
                  b"\xc0\x80", b"\xe4\xb8", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xc3",
                  b"\xe2\x80", b"\0"]
        lines = [b"".join(source.choices(pieces, k=source.randrange(12))) for _ in range(400)]
        readings = [decoded(line) for line in lines]
        raw = run("tokenize", stdin=b"\n".join(lines) + b"\n")
        repaired = run("tokenize", stdin="".join(text + "\n" for text, _, _ in readings).encode())
        self.assertEqual((raw.returncode, repaired.returncode, repaired.stderr), (0, 0, b""), f"seed {seed}")
        rows = zip(lines, readings, raw.stdout.splitlines(), repaired.stdout.splitlines(), strict=True)
        for line, (_, _, original), found, wanted in rows:
            wanted = json.loads(wanted)
            wanted["offsets"] = [[original[start], original[stop]] for start, stop in wanted["offsets"]]
            self.assertEqual(json.loads(found), wanted, f"seed {seed}, line {line}")
        first = next(i for i, (_, parts, _) in enumerate(readings, 1) if parts)
        message = (f"nybble: standard input: {sum(parts for _, parts, _ in readings)} invalid UTF-8 parts read as "
                   f"U+FFFD, the first in line {first}\n").encode()
        self.assertEqual(raw.stderr, message, f"seed {seed}")
        embedded = run("embed", stdin=b"\n".join(lines) + b"\n")
        self.assertEqual((embedded.returncode, embedded.stderr), (0, message), f"seed {seed}")
        self.assertEqual(embedded.stdout,
                         self.succeed("embed", stdin="".join(text + "\n" for text, _, _ in readings).encode()))

    def test_one_part_is_counted_in_the_singular_with_the_name_of_the_file(self):
        file = self.folder / "texts.txt"
        file.write_bytes(b"one\n\ntw\xe9o\n")
        for command in ("embed", "tokenize"):
            result = run(command, file)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(result.stderr.decode(), f"nybble: {file}: 1 invalid UTF-8 part read as U+FFFD, the first "
                                                     "in line 3\n")

    def test_strict_names_line_and_byte(self):
        self.assert_sentence(run("embed", "--strict", stdin=b"fine\nal\xc3\xa9so\nabc\xffd\xff\n"), "standard input",
                             "line 3", "byte 4", "0xFF", code=1)
        self.succeed("embed", "--strict", stdin="fine \u00e9 \ufffd\n".encode())

    def test_similarity_counts_what_is_invalid_in_its_arguments(self):
        result = run("similarity", "one", os.fsdecode(b"t\xffwo"))
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr,
                         b"nybble: arguments: 1 invalid UTF-8 part read as U+FFFD, the first in text 2\n")


class Field(ProgramTest):
    def test_the_field_of_each_object_is_the_text(self):
        texts = ["plain", "", "tab\tline\nend", 'quote " \\ / \u00e9 \U0001f600 \u2028', "zero \0 byte"]
        options = ["--format", "f32", "--field", "t"]
        plain = b"".join(self.succeed("embed", *options, stdin=json.dumps({"t": text}).encode()) for text in texts)
        lines = [json.dumps({"a": {"t": 1}, "t": text, "b": [1, None]}, ensure_ascii=i % 2 == 0)
                 for i, text in enumerate(texts)]
        joined = self.succeed("embed", *options, stdin="\r\n".join(lines).encode())
        self.assertEqual(joined, plain)
        self.assertEqual(joined[:160], self.succeed("embed", "--format", "f32", stdin=b"plain\n"))

    def test_a_bad_line_is_an_error_with_its_number(self):
        for line, *parts in (
                (b"", "JSON object", "an empty line"), (b"{", "JSON object"), (b"[1]", "JSON object"),
                (b'"t"', "JSON object"), (b'{"t":"a"} x', "JSON object"), (b"{'t':1}", "JSON object"),
                (b"{}", '"t"'), (b'{"T":"a"}', '"t"'), (b'{"u":{"t":"a"}}', '"t"'),
                (b'{"t":1}', "string", '"t"'), (b'{"t":null}', "string", '"t"'), (b'{"t":["a"]}', "string", '"t"'),
                (b'{"t":"\\ud800"}', "JSON object"), (b'{"t":"a\tb"}', "JSON object"),
                (b"[" * 5000, "JSON object")):
            with self.subTest(line[:20]):
                good = b'{"t":"good"}\n'
                result = run("embed", "--field", "t", stdin=good + good + line + b"\n" + good)
                self.assert_sentence(result, "standard input: line 3", *parts, code=1)

    def test_invalid_utf8_is_replaced_before_the_line_is_read_as_json(self):
        result = run("embed", "--field", "t", stdin=b'{"t":"good"}\n{"t":"ba\xffd\xfe"}\n')
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr, b"nybble: standard input: 2 invalid UTF-8 parts read as U+FFFD, the first in "
                                        b"line 2\n")
        self.assertEqual(result.stdout, self.succeed("embed", stdin="good\nba\ufffdd\ufffd\n".encode()))
        self.assert_sentence(run("embed", "--field", "t", "--strict", stdin=b'{"t":"good"}\n{"t":"ba\xffd"}\n'),
                             "line 2", "byte 9", code=1)


main()
