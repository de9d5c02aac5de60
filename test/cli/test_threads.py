#!/usr/bin/env python3
"""Threads: which CPUs and NUMA nodes a model runs on, and that no bit of a row depends on it."""
import os
import random

from nybble_program import ProgramTest, environment, main

# hwloc, through which TBB learns of nodes, takes a made-up machine from the environment: two nodes of one CPU.
TWO_NODES = {"HWLOC_SYNTHETIC": "numa:2 core:1 pu:1"}
# As if it were this machine: threads are then bound to the CPUs of their node.
BOUND = {**TWO_NODES, "HWLOC_THISSYSTEM": "1"}


class Threads(ProgramTest):
    def test_one_cpu_of_the_affinity_mask_gives_one_thread(self):
        one = sorted(os.sched_getaffinity(0))[:1]
        text = self.succeed("info", preexec_fn=lambda: os.sched_setaffinity(0, one)).decode()
        self.assertRegex(text, r"\nthreads +1\n")


class Nodes(ProgramTest):
    def setUp(self):
        super().setUp()
        chance = random.Random(1)
        # Enough tokens for all threads of both nodes, and a last batch that is too small to be shared.
        self.texts = self.folder / "texts"
        self.texts.write_text("".join(" ".join(chance.choices("the cat sat on a mat .".split(), k=chance.choice([1, 9, 25]))) + "\n"
                                      for _ in range(300)))

    def rows(self, threads, **variables):
        return self.succeed("embed", "--threads", threads, "--batch-tokens", 2000, self.texts,
                            env=environment(**variables))

    def test_threads_that_one_node_cannot_have_are_shared_out(self):
        for threads, shown in ((1, "1"), (2, "2 on 2 NUMA nodes"), (7, "7 on 2 NUMA nodes")):
            text = self.succeed("info", "--threads", threads, env=environment(**TWO_NODES)).decode()
            self.assertRegex(text, rf"\nthreads +{shown}\n")

    def test_the_bits_are_those_of_one_node(self):
        expected = self.rows(1)
        machines = [TWO_NODES] + [BOUND] * ({0, 1} <= os.sched_getaffinity(0))
        for variables in machines:
            for threads in (2, 3, 8):
                self.assertEqual(self.rows(threads, **variables), expected, (threads, variables))


main()
