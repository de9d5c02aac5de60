#!/usr/bin/env python3
"""Where rows go: files that are replaced whole, what cannot be written, readers that go away, signals, terminals."""
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import stat
import subprocess
import time
import unittest

from nybble_program import MICRO_HIDDEN, ProgramTest, environment, main, run, start

NAMES = ["rows.jsonl", "rows.npy", "rows.f32"]
FEW, MANY = b"one\ntwo\n", b"".join(b"text %d of many\n" % number for number in range(3000))


def wait_for(condition, process):
    """Waits until it holds; an ended process or a minute without is a failure."""
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode} before its time")
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("nothing happened")
        time.sleep(0.005)


class Replacing(ProgramTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"
        self.out.mkdir()

    def listing(self):
        return sorted(path.name for path in self.out.iterdir())

    def test_a_new_file_appears_with_the_permissions_of_new_files_and_nothing_beside_it(self):
        for mask, expected in ((0o022, 0o644), (0o077, 0o600), (0, 0o666)):
            for name in NAMES:
                file = self.out / name
                file.unlink(missing_ok=True)
                self.succeed("embed", "-o", file, stdin=FEW, preexec_fn=lambda mask=mask: os.umask(mask))
                self.assertEqual(stat.S_IMODE(file.stat().st_mode), expected)
        self.assertEqual(self.listing(), sorted(NAMES))

    def test_a_file_is_replaced_by_another_with_its_permissions_and_owner(self):
        for name in NAMES:
            file = self.out / name
            file.write_bytes(b"old" * 100_000)
            file.chmod(0o640)
            if os.geteuid() == 0:
                os.chown(file, 12345, 23456)
            before = file.stat()
            with open(file, "rb") as still_open:
                self.succeed("embed", "-o", file, stdin=FEW)
                self.assertEqual(still_open.read(), b"old" * 100_000)
            after = file.stat()
            self.assertNotEqual(before.st_ino, after.st_ino)
            self.assertEqual([before.st_mode, before.st_uid, before.st_gid],
                             [after.st_mode, after.st_uid, after.st_gid])
            self.succeed("embed", "-o", self.folder / name, stdin=FEW)
            self.assertEqual(file.read_bytes(), (self.folder / name).read_bytes())
        self.assertEqual(self.listing(), sorted(NAMES))

    def test_a_symbolic_link_stays_one_and_what_it_leads_to_is_replaced(self):
        (self.folder / "far").mkdir()
        for exists in (True, False):
            for target in ("../far/rows", str(self.folder / "far/rows")):
                shutil.rmtree(self.folder / "far")
                (self.folder / "far").mkdir()
                if exists:
                    (self.folder / "far/rows").write_bytes(b"old")
                for name, to in (("link", target), ("link-to-link", "link")):
                    (self.out / name).unlink(missing_ok=True)
                    (self.out / name).symlink_to(to)
                self.succeed("embed", "--format", "f32", "-o", self.out / "link-to-link", stdin=FEW)
                self.assertTrue((self.out / "link").is_symlink() and (self.out / "link-to-link").is_symlink())
                self.assertEqual((self.folder / "far/rows").stat().st_size, 2 * MICRO_HIDDEN * 4)
                self.assertEqual(os.listdir(self.folder / "far"), ["rows"])
                self.assertEqual(self.listing(), ["link", "link-to-link"])

    def test_a_relative_name_and_the_longest_that_there_can_be_work(self):
        for name in ("rows.f32", "x" * 251 + ".f32"):
            self.succeed("embed", "-o", name, stdin=FEW, cwd=self.out)
            self.assertEqual((self.out / name).stat().st_size, 2 * MICRO_HIDDEN * 4)

    def test_the_input_may_be_the_output(self):
        file = self.out / "texts"
        file.write_bytes(FEW)
        self.succeed("embed", "-o", file, file)
        self.assertEqual(file.read_bytes(), self.succeed("embed", stdin=FEW))

    def test_a_run_that_fails_leaves_the_old_file_and_nothing_else(self):
        for name in NAMES:
            for arguments, data in ((["--strict"], MANY + b"\xff\n"), (["--field", "t"], b"{}\n"),
                                    (["--model", "/no/such/model"], FEW), (["--max-tokens", "65"], FEW)):
                (self.out / name).write_bytes(b"old")
                self.assert_sentence(run("embed", *arguments, "-o", self.out / name, stdin=data), code=1)
                self.assertEqual((self.out / name).read_bytes(), b"old")
                self.assertEqual(self.listing(), [name])
            (self.out / name).unlink()
            self.assert_sentence(run("embed", "--strict", "-o", self.out / name, stdin=b"\xff\n"), code=1)
            self.assertEqual(self.listing(), [])

    def interrupt(self, signals, ignored=()):
        """Sends signals to a run in the midst of its rows; its exit code."""
        file = self.out / "rows.jsonl"
        file.write_bytes(b"old")

        def ignore():
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        process = start("embed", "-o", file, stdin=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=ignore)
        process.stdin.write(MANY)
        process.stdin.flush()
        wait_for(lambda: any(path.stat().st_size > 0 for path in self.out.iterdir() if path != file), process)
        for number in signals:
            process.send_signal(number)
        _, message = process.communicate()
        self.assertEqual(message, b"")
        return process.returncode, file.read_bytes()

    def test_a_run_that_is_interrupted_leaves_the_old_file_and_nothing_else(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.assertEqual(self.interrupt([number]), (-number, b"old"))
            self.assertEqual(self.listing(), ["rows.jsonl"])

    def test_a_signal_that_was_ignored_at_the_start_stays_ignored(self):
        code, data = self.interrupt([signal.SIGHUP], ignored=[signal.SIGHUP])
        self.assertEqual((code, data.count(b"\n")), (0, 3000))
        self.assertEqual(self.listing(), ["rows.jsonl"])


class Failing(ProgramTest):
    def test_a_full_device_is_an_error(self):
        for format_name in ("jsonl", "f32"):
            for data in (FEW, MANY):
                result = run("embed", "--format", format_name, "-o", "/dev/full", stdin=data)
                self.assert_sentence(result, "/dev/full", "No space left", code=1)
        with open("/dev/full", "wb") as full:
            for arguments in (["embed"], ["tokenize"], ["similarity", "a", "b"], ["info"], ["explain"],
                              ["isa", "--json"]):
                self.assert_sentence(run(*arguments, stdin=FEW, stdout=full), "standard output", "No space left",
                                     code=1)

    def test_a_full_disk_is_an_error_and_leaves_the_old_file(self):
        out = self.folder / "rows.jsonl"
        out.write_bytes(b"old")

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        result = run("embed", "-o", out, stdin=MANY, preexec_fn=small_files)
        self.assert_sentence(result, str(out), "File too large", code=1)
        self.assertEqual((os.listdir(self.folder), out.read_bytes()), (["rows.jsonl"], b"old"))

    def test_a_place_that_is_not_or_may_not_be_written_is_an_error(self):
        (self.folder / "file").write_bytes(b"")
        (self.folder / "loop").symlink_to("loop")
        for place, reason in ((self.folder / "none/rows.f32", "No such file"), (self.folder, "Is a directory"),
                              (self.folder / "file/rows", "Not a directory"), (self.folder / "loop", "symbolic links"),
                              ("/proc/rows.f32", ""), (self.folder / ("x" * 256), "too long")):
            self.assert_sentence(run("embed", "-o", place, stdin=FEW), str(place), reason, code=1)
        self.assertEqual(sorted(os.listdir(self.folder)), ["file", "loop"])

    @unittest.skipIf(os.geteuid() == 0, "root may write anything")
    def test_a_folder_or_file_without_permission_is_an_error(self):
        (self.folder / "rows").write_bytes(b"old")
        (self.folder / "rows").chmod(0o444)
        self.assert_sentence(run("embed", "-o", self.folder / "rows", stdin=FEW), "Permission denied", code=1)
        (self.folder / "closed").mkdir(0o555)
        self.assert_sentence(run("embed", "-o", self.folder / "closed/rows", stdin=FEW), "Permission denied", code=1)

    def test_closed_standard_files_are_errors_and_never_another_file(self):
        out = self.folder / "rows.f32"
        texts = self.folder / "texts"
        texts.write_bytes(FEW)
        self.assert_sentence(run("embed", texts, preexec_fn=lambda: os.close(1)), "standard output", code=1)
        # Without stderr the first file opened would get its number, and the messages.
        result = run("embed", "-o", out, stdin=b"\xff\n\xfe\n", preexec_fn=lambda: os.close(2))
        self.assertEqual((result.returncode, out.stat().st_size), (0, 2 * MICRO_HIDDEN * 4))
        self.succeed("embed", "-o", out, texts, preexec_fn=lambda: (os.close(0), os.close(1)))
        self.assertEqual(out.stat().st_size, 2 * MICRO_HIDDEN * 4)

    def test_a_reader_that_goes_away_ends_the_run_quietly(self):
        texts = self.folder / "texts"
        texts.write_bytes(MANY)
        for command in ("embed", "tokenize"):
            process = start(command, texts, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()
            process.stdout.close()
            message = process.stderr.read()
            process.stderr.close()
            self.assertIn(process.wait(), (0, -signal.SIGPIPE))
            self.assertEqual(message, b"")

    def test_a_pipe_by_name_is_written_in_place(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        process = start("embed", "--format", "f32", "-o", fifo, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(FEW)
        process.stdin.close()
        data = fifo.read_bytes()
        self.assertEqual((process.wait(), process.stderr.read()), (0, b""))
        process.stderr.close()
        self.assertEqual(data, self.succeed("embed", "--format", "f32", stdin=FEW))
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))


class Progress(ProgramTest):
    def watch(self, command, file=None):
        """What a run shows on a terminal as stderr. Texts go to its stdin until the count is seen, or lie in a file;
        then a slow reader of its rows gives it the time."""
        ours, theirs = pty.openpty()
        process = start(*command, *([file] if file else []), stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE if file else subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + 60
        while b"texts, " not in shown and process.poll() is None and time.monotonic() < deadline:
            if file:
                process.stdout.read1(4096)
            else:
                process.stdin.write(b"some words\n")
                process.stdin.flush()
            shown += self.read_terminal(ours, 0.02)
        process.stdin.close()
        if file:
            process.stdout.read()
            process.stdout.close()
        while more := self.read_terminal(ours, None):
            shown += more
        os.close(ours)
        self.assertEqual(process.wait(), 0, shown)
        return shown.decode()

    def read_terminal(self, terminal, seconds):
        """What comes in this time; b"" also where the other side is closed, which a terminal says by an error."""
        try:
            return os.read(terminal, 65536) if select.select([terminal], [], [], seconds)[0] else b""
        except OSError:
            return b""

    def test_a_terminal_sees_a_count_that_is_taken_away_at_the_end(self):
        for command in (["embed", "--batch-tokens", "1"], ["tokenize"]):
            shown = self.watch(command)
            self.assertRegex(shown, r"\r\x1b\[K\d+ texts, \d+/s")
            self.assertRegex(shown, r"texts, \d+/s\r\x1b\[K([^\x1b]* tokens/s \(int8, \w+, \d+ threads?\)\r\n)?\Z")

    def test_a_file_of_known_length_has_a_bar(self):
        texts = self.folder / "texts"
        texts.write_bytes(MANY)
        shown = self.watch(["embed", "--batch-tokens", "1"], texts)
        self.assertRegex(shown, r"\[#*\.*\] +\d+% \d+ texts, \d+/s")
        self.assertRegex(shown, r"3000 texts, \d+ tokens in ")

    def test_rows_on_the_same_terminal_stay_whole(self):
        ours, theirs = pty.openpty()
        texts = self.folder / "texts"
        texts.write_bytes(MANY)
        process = start("embed", "--batch-tokens", "1", texts, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while more := self.read_terminal(ours, None):
            shown += more
            if len(shown) < 200_000:
                time.sleep(0.005)  # rows take long enough for a bar between them
        os.close(ours)
        self.assertEqual(process.wait(), 0)
        self.assertIn(b"[K[", shown)
        rows = re.sub(rb"\r\x1b\[K(\[#*\.*\] +\d+% \d+ texts, \d+/s)?", b"", shown).replace(b"\r\n", b"\n")
        lines = rows.split(b"\n")
        self.assertRegex(lines[3000], rb"\A3000 texts, ")
        self.assertEqual([json.loads(line)["index"] for line in lines[:3000]], list(range(3000)))

    def test_what_is_no_terminal_sees_nothing(self):
        process = start("embed", "--batch-tokens", "1", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE, env=environment(TERM="xterm"))
        for _ in range(20):
            process.stdin.write(b"some words\n")
            process.stdin.flush()
            time.sleep(0.02)
        _, message = process.communicate()
        self.assertEqual((process.returncode, message), (0, b""))


main()
