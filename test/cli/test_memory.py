#!/usr/bin/env python3
"""Any number of lines takes the same memory."""
import subprocess

from nybble_program import ProgramTest, main, start


class Memory(ProgramTest):
    def peak(self, command, lines):
        """The most KiB resident while so many lines pass, read while the run waits for more."""
        process = start(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for i in range(lines // 100):
            process.stdin.write(b"".join(b"line %d has some words in it\n" % (100 * i + k) for k in range(100)))
        process.stdin.flush()
        with open(f"/proc/{process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        process.stdin.close()
        self.assertEqual(process.wait(), 0)
        return peak

    def test_ten_times_the_lines_take_the_same_memory(self):
        for command in (["embed"], ["embed", "--format", "f32"], ["tokenize"]):
            few, many = (min(self.peak(command, lines) for _ in range(2)) for lines in (4_000, 40_000))
            self.assertLess(many - few, 4096, (command, few, many))


main()
