"""gdb on a simulated machine that has come to an event: `./twofold sim ... --until-event N --gdb`.

    (gdb) sim-cpus          the processors: state, time, where they stand
    (gdb) sim-cpu N         bt, frame, up and info locals are of processor N's kernel
    (gdb) sim-cpu host      and of the simulator again
    (gdb) continue          the run goes on, as it would have

The simulator passes `sim_stopped` (sim/simulator/debugger.cpp) there, with the place of what it says about the
processors in its first argument. All of them are switched out: a processor's registers lie on its kernel's
stack. An unwinder makes these the caller of `sim_stopped`. So no register and no memory changes.
"""

import struct

import gdb
import gdb.unwinder

STOP = "sim_stopped"
# What runs between a point of the kernel and the simulator.
BELOW = ("hosted::", "__sanitizer_")
HEAD = struct.Struct("<4Q")  # event, time, hash, processors: StoppedMachine
CPU = struct.Struct("<5Q")  # StoppedCpu
# isa::SwitchFrame, behind the address that continues it.
SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")
SWITCH_FRAME = struct.Struct(f"<{1 + len(SAVED)}Q")


class Machine:
    """What sim_stopped was passed."""

    def __init__(self) -> None:
        memory = gdb.selected_inferior()
        place = int(gdb.newest_frame().read_register("rdi"))
        head = memory.read_memory(place, HEAD.size)
        self.event, self.now_ns, self.hash, count = HEAD.unpack(head)
        rows = memory.read_memory(place + HEAD.size, CPU.size * count).tobytes()
        self.cpus = {row[0]: row[1:] for row in CPU.iter_unpack(rows)}


class Selection:
    """The processor whose kernel is shown, none: the simulator; and of it the saved registers."""

    def __init__(self) -> None:
        self.stack = 0
        self.registers: dict[str, int] = {}

    def clear(self) -> None:
        self.stack = 0

    def choose(self, stack: int) -> None:
        words = SWITCH_FRAME.unpack(gdb.selected_inferior().read_memory(stack, SWITCH_FRAME.size).tobytes())
        self.registers = dict(zip(SAVED, words[1:], strict=True)) | {"rsp": stack + SWITCH_FRAME.size}
        self.stack = stack


selection = Selection()


def stop_address() -> int:
    return int(gdb.parse_and_eval(f"(unsigned long)&{STOP}"))


class FrameId:
    def __init__(self, sp: gdb.Value, pc: gdb.Value) -> None:
        self.sp = sp
        self.pc = pc


class KernelAbove(gdb.unwinder.Unwinder):
    """While a processor is selected, its kernel is the caller of sim_stopped."""

    def __init__(self) -> None:
        super().__init__("twofold simulated processor")

    def __call__(self, frame):
        if not selection.stack or frame.level() != 0:
            return None
        pc = frame.read_register("rip")
        if int(pc) != stop_address():
            return None
        word = frame.read_register("rbx").type
        info = frame.create_unwind_info(FrameId(gdb.Value(selection.stack).cast(word), pc))
        for name, value in selection.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info


def select_host() -> None:
    if selection.stack:
        selection.clear()
        gdb.invalidate_cached_frames()


def stopped_machine() -> Machine:
    """Raises gdb.GdbError where the program is not at an event."""
    try:
        at = int(gdb.newest_frame().read_register("rip"))
    except gdb.error:
        at = 0
    if at == 0 or at != stop_address():
        raise gdb.GdbError("the simulator has not come to its event: --until-event N, run")
    return Machine()


def choose(stack: int) -> gdb.Frame:
    """Shows the kernel of that stack; its innermost frame that is not of the machine below it."""
    select_host()
    selection.choose(stack)
    gdb.invalidate_cached_frames()
    innermost = frame = gdb.newest_frame().older()
    while frame is not None and (frame.name() or "").startswith(BELOW):
        frame = frame.older()
    return innermost if frame is None or frame.name() is None else frame


class SimCpus(gdb.Command):
    """The processors of the simulated machine: sim-cpus."""

    def __init__(self) -> None:
        super().__init__("sim-cpus", gdb.COMMAND_STATUS)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        if argument:
            raise gdb.GdbError("sim-cpus takes no argument")
        machine = stopped_machine()
        print(f"event {machine.event} at {machine.now_ns} ns, hash {machine.hash:016x}")
        before = selection.stack
        for number, (sleeps, enabled, now_ns, stack) in machine.cpus.items():
            mark = "*" if stack == before else " "
            state = "sleeps" if sleeps else "can run"
            flag = "enabled" if enabled else "disabled"
            print(f"{mark} {number}  {state} at {now_ns} ns, interrupts {flag}, in {choose(stack).name()}")
        select_host()
        if before:
            choose(before).select()


class SimCpu(gdb.Command):
    """Show the kernel of a processor: sim-cpu N; or the simulator: sim-cpu host."""

    def __init__(self) -> None:
        super().__init__("sim-cpu", gdb.COMMAND_STACK)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        machine = stopped_machine()
        if argument == "host":
            select_host()
            gdb.newest_frame().select()
        else:
            if not argument.isdecimal() or int(argument) not in machine.cpus:
                known = ", ".join(str(number) for number in machine.cpus)
                raise gdb.GdbError(f"sim-cpu N or sim-cpu host: there are the processors {known}")
            choose(machine.cpus[int(argument)][3]).select()
        gdb.execute("frame")


gdb.unwinder.register_unwinder(None, KernelAbove(), replace=True)
SimCpus()
SimCpu()
gdb.events.cont.connect(lambda _event: select_host())
# A kernel's own faults are its machine's; and nothing of this program is paged.
gdb.execute("handle SIGSEGV SIGBUS nostop noprint pass", to_string=True)
gdb.execute(f"break *{STOP}", to_string=True)
