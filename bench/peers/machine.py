"""What this machine is, and which of its CPUs a run may use."""
import os
import pathlib
import re
import subprocess


def siblings(cpu):
    """The CPUs that share a core with this one."""
    file = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return file.read_text().strip() if file.exists() else str(cpu)


def cpus_of_their_own(count):
    """`count` CPUs, no two on one core, that this process may use. The last ones, since interrupts like CPU 0."""
    cores = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        cores.setdefault(siblings(cpu), cpu)
    if count < 1 or count > len(cores):
        raise SystemExit(f"peers: --threads: expected 1 to {len(cores)}, the cores here, found {count}")
    return set(list(cores.values())[-count:])


def _cpuinfo(field):
    found = re.search(rf"^{field}\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def cpu_title():
    return f"{_cpuinfo('model name')}, family {_cpuinfo('cpu family')}, model {_cpuinfo('model')}"


def cpu_slug():
    return re.sub(r"[^a-z0-9]+", "-", cpu_title().lower()).strip("-")


def commit(repository):
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=repository, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
