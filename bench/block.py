#!/usr/bin/env python3
"""Measures storage: files behind the hosted NVMe controller beside fio, and reads in counted instructions.

    bench/block.py BUILD [--benchmark_out=FILE] [--benchmark_repetitions=N]

Takes Google Benchmark's options (the others are accepted and mean nothing here) and writes its JSON. The peer of the
hosted machine is fio with io_uring on the same file, in turns with ours: both read and write through the host's page
cache, as `run --disk FILE` does, and find the file there. The peer of a read on the metal machine is a Linux guest that
reads 4 KiB past its page cache, by the same emulated controller: instructions from one read to the next, counted by the
emulator's plugin (tools/interrupt_windows), with interrupts in both.
"""

import json
import pathlib
import sys
import tempfile
from typing import Any

import harness
import linux_guest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.interrupt_windows import measure as windows  # noqa: E402

FILE_MIB = 256
RUNTIME_S = 2
DISK = "nvme0n1"
# What runs once for each read, and only then.
BEAT = "twofold::block::Disk::submit"
JOBS = {
    "randread_4k_1": {"rw": "randread", "bs": "4k", "iodepth": 1},
    "randread_4k_32": {"rw": "randread", "bs": "4k", "iodepth": 32},
    "randwrite_4k_1": {"rw": "randwrite", "bs": "4k", "iodepth": 1},
    "randwrite_4k_32": {"rw": "randwrite", "bs": "4k", "iodepth": 32},
    "read_128k": {"rw": "read", "bs": "128k", "iodepth": 8},
    "write_128k": {"rw": "write", "bs": "128k", "iodepth": 8},
}
Figures = dict[str, float]


def figure(text: str) -> float:
    """Thousands of operations a second of the one job in fio's JSON."""
    job = json.loads(text[text.index("{") :])["jobs"][0]
    if job["error"] != 0:
        raise harness.Failed(f"a job ended with error {job['error']}")
    return (job["read"]["iops"] + job["write"]["iops"]) / 1000


def ours(build: pathlib.Path, name: str, file: pathlib.Path) -> Figures:
    words = [f"{key}={value}" for key, value in JOBS[name].items()]
    command = " ".join(
        ["block-bench", f"filename={DISK}", *words, f"runtime={RUNTIME_S}", "output-format=json"]
    )
    said = harness.output([build / "apps/host/twofold-host", "--disk", file, "--command", command])
    return {f"{name}/ours": figure(said)}


def fio(_: pathlib.Path, name: str, file: pathlib.Path) -> Figures:
    words = [f"--{key}={value}" for key, value in JOBS[name].items()]
    said = harness.output(
        ["fio", "--name=job", f"--filename={file}", f"--size={FILE_MIB}M", "--ioengine=io_uring", *words]
        + [f"--runtime={RUNTIME_S}", "--time_based", "--norandommap", "--randrepeat=0", "--fallocate=none"]
        + ["--invalidate=0", "--output-format=json"]
    )
    return {f"{name}/fio": figure(said)}


def warm(file: pathlib.Path) -> None:
    """The whole file into the page cache; fio is told to leave it there."""
    with open(file, "rb") as whole:
        while whole.read(1 << 20):
            pass


def driver(build: pathlib.Path) -> Figures:
    """Nanoseconds of a request with a controller in memory, at depth 32: the median of batches."""
    rows = harness.rows(build / "bench" / "twofold-bench-host", "--command", "nvme-bench")
    return {"driver_cost/ours": next(float(row["p50 ns"]) for row in rows if row["operation"] == "4 KiB, depth 32")}


def driver_instructions(build: pathlib.Path) -> Figures:
    """The same on the emulator, where an instruction that is counted takes a nanosecond."""
    rows = harness.rows(
        build / "apps" / "launch" / "twofold-boot",
        "--icount",
        "--image",
        str(build / "images" / "twofold-bench.elf"),
        "--command",
        "nvme-bench 200",
    )
    return {"metal_driver/ours": next(float(row["p50 ns"]) for row in rows if row["operation"] == "4 KiB, depth 32")}


def doorbells(build: pathlib.Path, file: pathlib.Path) -> Figures:
    """How many requests go with one doorbell's write, at depth 32 on the file."""
    command = f"block-bench filename={DISK} rw=randread bs=4k iodepth=32 runtime=1; nvme queues"
    rows = harness.rows(build / "apps/host/twofold-host", "--disk", str(file), "--command", command)
    counts = [row for row in rows if "tail_rings" in row]
    rings = sum(int(row["tail_rings"]) for row in counts)
    if rings == 0:
        raise harness.Failed("no doorbell was written")
    return {"ios_per_doorbell/ours": sum(int(row["submitted"]) for row in counts) / rings}


def emulated_disk(file: pathlib.Path) -> list[str]:
    return ["-drive", f"file={file},format=raw,if=none,id=disk,snapshot=on", "-device", "nvme,serial=1,drive=disk"]


def per_beat(report: dict[str, Any], least: int) -> float:
    """Instructions from one beat to the next."""
    beat = report["beats"][0]
    if beat["times"] < least:
        raise harness.Failed(f"only {beat['times']} reads were seen")
    return float(beat["last"] - beat["first"]) / (beat["times"] - 1)


def metal_read(build: pathlib.Path, file: pathlib.Path) -> Figures:
    """Instructions of one read of ours on q35, from one to the next."""
    reads = linux_guest.READS
    command = f"nvme mode 0 interrupt; block-bench rw=randread bs=4k iodepth=1 size={reads * 4}k"
    report, _ = windows.measure(
        build,
        "full",
        command,
        [],
        beats=[BEAT],
        further=[f"--qemu-arg={word}" for word in emulated_disk(file)],
        counts_time=False,
    )
    return {"metal_read/ours": per_beat(report, reads)}


def linux_read(build: pathlib.Path, file: pathlib.Path) -> Figures:
    folder = ROOT / "build" / "bench" / "linux"
    kernel, initramfs = linux_guest.prepare(folder, linux_guest.READ_INIT_SOURCE)
    listed = harness.output(["nm", folder / "init"])
    beat = next(line.split()[0] for line in listed.splitlines() if line.endswith(" T beat"))
    plugin = build / "tools" / "interrupt_windows" / "libinterrupt_windows.so"
    machine = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max"]
    with tempfile.TemporaryDirectory(prefix="twofold-block-") as place:
        out = pathlib.Path(place) / "report"
        command = linux_guest.command(kernel, initramfs, machine)
        command += [*emulated_disk(file), "-plugin", f"{plugin},out={out},beat=0x{beat}"]
        said = harness.output(command)
        if f"{linux_guest.READS} reads" not in said:
            raise harness.Failed(f"the Linux guest read too little: {said[-200:]}")
        report = json.loads(out.read_text())
    return {"metal_read/linux": per_beat(report, linux_guest.READS)}


def main() -> int:
    options, _ = harness.parser("block").parse_known_args()
    build = options.build.resolve()
    taken = harness.Measurements("block")
    with tempfile.TemporaryDirectory(prefix="twofold-block-", dir=ROOT / "build") as folder:
        file = pathlib.Path(folder) / "disk"
        file.write_bytes(b"\xa5" * (FILE_MIB << 20))  # every block is there, and in the page cache
        taken.take(lambda: driver_instructions(build), 0)
        taken.take(lambda: metal_read(build, file), 0)  # counted: every repeat would say the same
        taken.take(lambda: linux_read(build, file), 0)
        for repeat in range(options.benchmark_repetitions):
            taken.take(lambda: driver(build), repeat)
            taken.take(lambda: doorbells(build, file), repeat)
            for name in JOBS:
                for measure in (fio, ours):
                    warm(file)
                    taken.take(lambda of=measure, job=name: of(build, job, file), repeat)  # type: ignore[misc]
    harness.write(taken.entries, options.benchmark_out)
    return 1 if taken.failed else 0


if __name__ == "__main__":
    sys.exit(main())
