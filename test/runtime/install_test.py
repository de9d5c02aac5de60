#!/usr/bin/env python3
"""Installs a build into a folder of its own, compiles the example against what is there through pkg-config, runs it.

install_test.py MESON COMPILER BUILD EXAMPLE.cc MODEL
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def only(folder, pattern):
    found = sorted(folder.rglob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder}: expected one {pattern}, found {[str(file) for file in found]}")
    return found[0]


def pkg_config(sysroot, *arguments):
    package = only(sysroot, "nybble.pc")
    # PKG_CONFIG_LIBDIR: an installed Nybble of the system must not answer.
    return run(["pkg-config", *arguments, "nybble"], env={
        **os.environ, "PKG_CONFIG_LIBDIR": str(package.parent), "PKG_CONFIG_SYSROOT_DIR": str(sysroot)})


def main(meson, compiler, build, example, model):
    if shutil.which("pkg-config") is None:
        print("skipped: no pkg-config")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        sysroot = pathlib.Path(folder) / "root"
        run([*meson.split(), "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", sysroot])
        headers = sorted(file.name for file in sysroot.rglob("*.h"))
        assert headers == ["api.h", "error.h", "machine.h", "nybble.h", "tasks.h", "tokens.h", "vectors.h"], headers
        flags = pkg_config(sysroot, "--cflags", "--libs").split()
        program = pathlib.Path(folder) / "embed_texts"
        # Away from the sources, so that no header of theirs is found.
        run([*compiler.split(), "-std=c++20", "-Wall", "-Wextra", "-Werror", example, "-o", program, *flags], cwd=folder)
        library = only(sysroot, "libnybble.so").parent
        answers = run([program, model, "the cabal", "the cabal", "bad thing"],
                      env={**os.environ, "LD_LIBRARY_PATH": str(library)}).splitlines()
        assert len(answers) == 3 and answers[0].startswith("1.0000\t") and answers[1] == answers[0], answers
        version = run([only(sysroot, "bin/nybble"), "--version"])
        assert pkg_config(sysroot, "--modversion").strip() in version, version
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
