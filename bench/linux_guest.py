"""The peer of the metal figures: the distribution's cloud kernel and a static init that says one line.

The kernel package is downloaded through the system's package sources and unpacked in build/bench/linux; nothing
is installed. The init is a small C program in an initramfs written here (newc format: Linux,
Documentation/driver-api/early-userspace/buffer-format.rst).
"""

import hashlib
import pathlib
import subprocess

FIRST_LINE = b"linux-init: first line"
INIT_SOURCE = """
#include <sys/reboot.h>
#include <unistd.h>
int main(void) {
    write(1, "linux-init: first line\\n", 23);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
"""
# An init that computes and looks for gaps in its own time: what an interrupt takes away, there and back. Of the
# kernel's ticks the shortest is the one that finds least to do. With counted instructions the counter counts them.
TICK_INIT_SOURCE = """
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>
#define TICKS 512
#define GAP 200 /* longer than a turn of the loop, shorter than any interrupt */
static unsigned long counter(void) {
    unsigned low, high;
    __asm__ volatile("lfence\\n\\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (unsigned long)high << 32 | low;
}
int main(void) {
    unsigned long shortest = ~0ul, before = counter();
    for (int ticks = 0; ticks < TICKS;) {
        unsigned long now = counter();
        if (now - before > GAP) {
            ++ticks;
            shortest = now - before < shortest ? now - before : shortest;
        }
        before = now;
    }
    printf("linux-init: shortest tick %lu\\n", shortest);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
"""
# Two threads that hand the processor to each other. The shortest round of many is the one that nothing comes between.
YIELD_INIT_SOURCE = """
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>
#define ROUNDS 4096
static unsigned long counter(void) {
    unsigned low, high;
    __asm__ volatile("lfence\\n\\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (unsigned long)high << 32 | low;
}
static volatile int ends;
static volatile unsigned long turns;
static void *other(void *nothing) {
    while (!ends) {
        ++turns;
        sched_yield();
    }
    return nothing;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, other, 0);
    while (turns == 0) sched_yield();
    unsigned long shortest = ~0ul;
    for (int round = 0; round < ROUNDS; ++round) {
        unsigned long turn = turns, before = counter();
        sched_yield();
        unsigned long took = counter() - before;
        if (turns == turn + 1 && took < shortest) shortest = took;
    }
    ends = 1;
    pthread_join(thread, 0);
    printf("linux-init: shortest switch %lu\\n", shortest / 2);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
"""
# Reads of 4 KiB past the page cache, each from elsewhere; before each one `beat` is called, for who counts.
READ_INIT_SOURCE = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>
#define READS 512
#define BLOCK 4096
static char page[BLOCK] __attribute__((aligned(BLOCK)));
__attribute__((noinline)) void beat(void) { __asm__ volatile("" ::: "memory"); }
int main(void) {
    mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    int disk = -1;
    for (int tries = 0; disk < 0 && tries < 500; ++tries) {
        disk = open("/dev/nvme0n1", O_RDONLY | O_DIRECT);
        if (disk < 0) usleep(10000);
    }
    int done = 0;
    for (int i = 0; disk >= 0 && i < READS; ++i) {
        beat();
        done += pread(disk, page, BLOCK, (off_t)((i * 2654435761u) % 4096) * BLOCK) == BLOCK;
    }
    printf("linux-init: %d reads\\n", done);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
"""
READS = 512
META_PACKAGE = "linux-image-cloud-amd64"
# Linux's own look for the frequency of the counter hangs on this machine when the host is busy; it is told the
# emulator's (1 GHz) and spared the check of the timer, both to its advantage.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 tsc_early_khz=1000000 no_timer_check"


class Unavailable(Exception):
    """The peer cannot be had here; the text says why."""


def cpio(files: list[tuple[str, int, bytes, tuple[int, int]]]) -> bytes:
    """An archive of (name, mode, data, device numbers)."""
    out = b""
    for number, (name, mode, data, device) in enumerate([*files, ("TRAILER!!!", 0, b"", (0, 0))], 1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def run(command: list[str], folder: pathlib.Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise Unavailable(f"{command[0]}: {reason.strip().splitlines()[-1]}") from error
    return done.stdout


def prepare(folder: pathlib.Path, source: str = INIT_SOURCE) -> tuple[pathlib.Path, pathlib.Path]:
    """The kernel and an initramfs whose init is `source`, made on the first call with it."""
    folder.mkdir(parents=True, exist_ok=True)
    initramfs = folder / f"init-{hashlib.sha256(source.encode()).hexdigest()[:16]}.cpio"
    if not initramfs.is_file():
        (folder / "init.c").write_text(source)
        run(["gcc", "-O2", "-static", "-o", "init", "init.c"], folder)
        initramfs.write_bytes(
            cpio(
                [
                    ("dev", 0o40755, b"", (0, 0)),
                    ("dev/console", 0o20600, b"", (5, 1)),
                    ("init", 0o100755, (folder / "init").read_bytes(), (0, 0)),
                ]
            )
        )
    kernels = sorted(folder.glob("root/boot/vmlinuz-*"))
    if not kernels:
        depends = run(["apt-cache", "depends", META_PACKAGE], folder)
        names = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image" in line]
        if not names:
            raise Unavailable(f"the package sources of this system have no {META_PACKAGE}")
        run(["apt-get", "download", names[0]], folder)
        package = max(folder.glob("linux-image-*.deb"), key=lambda path: path.stat().st_mtime)
        run(["dpkg-deb", "-x", package.name, "root"], folder)
        package.unlink()
        kernels = sorted(folder.glob("root/boot/vmlinuz-*"))
    return kernels[-1], initramfs


def command(kernel: pathlib.Path, initramfs: pathlib.Path, machine: list[str]) -> list[str]:
    """The emulator's command line; `machine` is what ours is started with too."""
    return [
        *machine, "-m", "128M", "-kernel", str(kernel), "-initrd", str(initramfs), "-append", COMMAND_LINE,
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
    ]  # fmt: skip
