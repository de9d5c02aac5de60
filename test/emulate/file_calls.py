"""The system calls on files: the host's, read-only unless the process may write."""
import ctypes
import errno
import fcntl
import os
import struct

from memory import BadAddress
from system_calls import as_int32, as_int64, open_file, system_call

_AT_CWD = -100
_MOST_AT_ONCE = 1 << 24
_DEVICES = (b"/dev/null", b"/dev/tty")


def _folder(process, number: int, path: bytes):
    """For dir_fd: None is the current folder."""
    number = as_int32(number)
    return None if number == _AT_CWD or path.startswith(b"/") else open_file(process, number)


def _refuse_writes(process):
    if not process.options.writable:
        raise OSError(errno.EROFS, "")


# ---- open, close, names ----

@system_call(257)
def openat(process, folder, name, flags, mode, *_):
    path, large_file = process.memory.read_string(name), 0o100000
    if flags & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC) and path not in _DEVICES:
        _refuse_writes(process)
    if path == b"/proc/self/exe":
        path = process.executable.encode()
    file = os.open(path, flags & ~large_file | os.O_CLOEXEC, mode & 0o7777, dir_fd=_folder(process, folder, path))
    process.open_files.add(file)
    return file


@system_call(2)
def open_call(process, name, flags, mode, *_):
    return openat(process, _AT_CWD & 0xFFFFFFFF, name, flags, mode)


@system_call(3)
def close(process, file, *_):
    file = open_file(process, file)
    process.open_files.discard(file)
    if file > 2:
        os.close(file)
    return 0


@system_call(32)
def dup(process, file, *_):
    copy = os.dup(open_file(process, file))
    process.open_files.add(copy)
    return copy


@system_call(72)
def fcntl_call(process, file, command, argument, *_):
    file = open_file(process, file)
    if command in (fcntl.F_GETFD, fcntl.F_GETFL):
        return fcntl.fcntl(file, command)
    if command == fcntl.F_SETFD:
        return 0
    if command in (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC):
        copy = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, argument)
        process.open_files.add(copy)
        return copy
    return -errno.EINVAL


@system_call(16)
def ioctl(process, file, *_):
    open_file(process, file)
    return -errno.ENOTTY


@system_call(87)
def unlink(process, name, *_):
    _refuse_writes(process)
    os.unlink(process.memory.read_string(name))
    return 0


@system_call(82)
def rename(process, old, new, *_):
    _refuse_writes(process)
    os.rename(process.memory.read_string(old), process.memory.read_string(new))
    return 0


@system_call(21)
def access(process, name, mode, *_):
    return 0 if os.access(process.memory.read_string(name), as_int32(mode)) else -errno.ENOENT


@system_call(269, 439)
def faccessat(process, folder, name, mode, *_):
    path = process.memory.read_string(name)
    return 0 if os.access(path, as_int32(mode), dir_fd=_folder(process, folder, path)) else -errno.ENOENT


@system_call(89)
def readlink(process, name, out, size, *_):
    path = process.memory.read_string(name)
    target = process.executable.encode() if path == b"/proc/self/exe" else os.readlink(path)
    process.memory.write(out, target[:size])
    return min(len(target), size)


@system_call(267)
def readlinkat(process, folder, name, out, size, *_):
    return readlink(process, name, out, size)


@system_call(79)
def getcwd(process, out, size, *_):
    path = os.getcwdb() + b"\0"
    if len(path) > size:
        return -errno.ERANGE
    process.memory.write(out, path)
    return len(path)


# ---- contents ----

@system_call(0)
def read(process, file, out, size, *_):
    data = os.read(open_file(process, file), min(size, _MOST_AT_ONCE))
    process.memory.write(out, data)
    return len(data)


@system_call(17)
def pread64(process, file, out, size, offset, *_):
    data = os.pread(open_file(process, file), min(size, _MOST_AT_ONCE), offset)
    process.memory.write(out, data)
    return len(data)


def _pieces(process, vector, count):
    for i in range(as_int32(count)):
        yield struct.unpack("<QQ", process.memory.read(vector + 16 * i, 16))


@system_call(19)
def readv(process, file, vector, count, *_):
    total = 0
    for address, size in _pieces(process, vector, count):
        found = read(process, file, address, size)
        total += found
        if found < size:
            break
    return total


def _write_all(file: int, data: bytes) -> int:
    done = 0
    while done < len(data):
        done += os.write(file, data[done:])
    return done


@system_call(1)
def write(process, file, data, size, *_):
    return _write_all(open_file(process, file), process.memory.read(data, size))


@system_call(18)
def pwrite64(process, file, data, size, offset, *_):
    return os.pwrite(open_file(process, file), process.memory.read(data, size), offset)


@system_call(20)
def writev(process, file, vector, count, *_):
    data = b"".join(process.memory.read(address, size) for address, size in _pieces(process, vector, count))
    return _write_all(open_file(process, file), data)


@system_call(8)
def lseek(process, file, offset, origin, *_):
    return os.lseek(open_file(process, file), as_int64(offset), as_int32(origin))


@system_call(77)
def ftruncate(process, file, size, *_):
    os.ftruncate(open_file(process, file), size)
    return 0


@system_call(74, 75)
def fsync(process, file, *_):
    os.fsync(open_file(process, file))
    return 0


@system_call(217)
def getdents64(process, file, out, size, *_):
    libc, buffer = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(size)
    count = libc.syscall(217, open_file(process, file), buffer, size)
    if count < 0:
        return -ctypes.get_errno()
    process.memory.write(out, buffer.raw[:count])
    return count


# ---- what a file is ----

def _put_status(process, out, status: os.stat_result):
    times = [part for t in (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns) for part in divmod(t, 10**9)]
    process.memory.write(out, struct.pack(
        "<QQQIIIIQqqq6Q24x", status.st_dev, status.st_ino, status.st_nlink, status.st_mode, status.st_uid, status.st_gid, 0,
        status.st_rdev, status.st_size, status.st_blksize, status.st_blocks, *times))
    return 0


@system_call(5)
def fstat(process, file, out, *_):
    return _put_status(process, out, os.fstat(open_file(process, file)))


@system_call(4)
def stat(process, name, out, *_):
    return _put_status(process, out, os.stat(process.memory.read_string(name)))


@system_call(6)
def lstat(process, name, out, *_):
    return _put_status(process, out, os.lstat(process.memory.read_string(name)))


@system_call(262)
def newfstatat(process, folder, name, out, flags, *_):
    no_follow, empty_path = 0x100, 0x1000
    path = process.memory.read_string(name)
    if not path and flags & empty_path:
        return _put_status(process, out, os.fstat(open_file(process, folder)))
    return _put_status(process, out, os.stat(path, dir_fd=_folder(process, folder, path), follow_symlinks=not flags & no_follow))
