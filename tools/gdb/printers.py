"""Pretty-printers of gdb for the types of core/base. `./twofold gdb` loads them; elsewhere:

    (gdb) source tools/gdb/printers.py

Invariant: a printer reads the members that the type has and calls nothing in the program, so that a core file
and a stopped kernel print alike.
"""

import gdb
import gdb.printing


class Number:
    """A strong type around one number: what it counts, then the number."""

    text = "{}"

    def __init__(self, value: gdb.Value) -> None:
        self.number = int(value["value"])

    def to_string(self) -> str:
        return self.text.format(self.number)


class Bytes(Number):
    """Bytes, with the largest binary unit that divides them."""

    def to_string(self) -> str:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if self.number and self.number % size == 0:
                return f"{self.number // size} {unit}"
        return f"{self.number} B"


class PhysAddr(Number):
    text = "physical {:#x}"


class VirtAddr(Number):
    text = "virtual {:#x}"


class Nanos(Number):
    text = "{} ns"


class CpuId(Number):
    text = "cpu {}"


class Atomic:
    """Atomic<T>: its value as it lies in memory."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value["m_value"]

    def to_string(self) -> str:
        return f"atomic {self.value}"


class StringView:
    """std::string_view. The library's own printers come with a program that links it; a kernel
    does not."""

    def __init__(self, value: gdb.Value) -> None:
        self.start = value["_M_str"]
        self.length = int(value["_M_len"])

    def to_string(self) -> str:
        return self.start.string("utf-8", "replace", self.length) if self.length else ""

    def display_hint(self) -> str:
        return "string"


class Result:
    """Result<T>: the value as a child, or the error's name."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value
        self.good = bool(value["m_has_value"])

    def to_string(self) -> str:
        if self.good:
            return "success"
        return f"failure: {str(self.value['m_error']).rsplit('::', 1)[-1]}"

    def children(self):
        if self.good:
            try:
                yield "value", self.value["m_value"]
            except gdb.error:  # Result<void> holds none
                return


class TextBuffer:
    """TextBuffer: the text collected so far."""

    def __init__(self, value: gdb.Value) -> None:
        self.start = value["m_storage"]["_M_ptr"]
        self.length = int(value["m_length"])

    def to_string(self) -> str:
        return self.start.string("utf-8", "replace", self.length) if self.length else ""

    def display_hint(self) -> str:
        return "string"


class FixedString:
    """FixedString: its letters, without the rest of its capacity."""

    def __init__(self, value: gdb.Value) -> None:
        self.start = value["m_letters"]
        self.length = int(value["m_size"])

    def to_string(self) -> str:
        return self.start.string("utf-8", "replace", self.length) if self.length else ""

    def display_hint(self) -> str:
        return "string"


class FixedVector:
    """FixedVector: how full, and the items."""

    def __init__(self, value: gdb.Value) -> None:
        self.items = value["m_storage"]["items"]
        self.length = int(value["m_size"])
        self.capacity = self.items.type.range()[1] + 1

    def to_string(self) -> str:
        return f"{self.length} of {self.capacity}"

    def children(self):
        for index in range(min(self.length, self.capacity)):
            yield f"[{index}]", self.items[index]

    def display_hint(self) -> str:
        return "array"


def printers() -> gdb.printing.RegexpCollectionPrettyPrinter:
    collection = gdb.printing.RegexpCollectionPrettyPrinter("twofold")
    for name, pattern, printer in (
        ("Bytes", r"^twofold::Bytes$", Bytes),
        ("PhysAddr", r"^twofold::detail::Address<twofold::detail::PhysicalSpace>$", PhysAddr),
        ("VirtAddr", r"^twofold::detail::Address<twofold::detail::VirtualSpace>$", VirtAddr),
        ("Nanos", r"^twofold::Nanos$", Nanos),
        ("CpuId", r"^twofold::CpuId$", CpuId),
        ("Atomic", r"^twofold::Atomic<.*>$", Atomic),
        ("TextBuffer", r"^twofold::TextBuffer$", TextBuffer),
        ("FixedString", r"^twofold::FixedString<.*>$", FixedString),
        ("FixedVector", r"^twofold::FixedVector<.*>$", FixedVector),
        ("Result", r"^twofold::Result<.*>$", Result),
        ("StringView", r"^std::basic_string_view<char, .*>$", StringView),
    ):
        collection.add_printer(name, pattern, printer)
    return collection


gdb.printing.register_pretty_printer(None, printers(), replace=True)
