"""The rule `ladder`: what may include what."""

import unittest

from tests.tools.tidy.fixture import TreeTest
from tools.tidy.rules import ladder

BASE = {"core/base/base.hpp": "// base\n", "hal/include/hal/cpu.hpp": "// cpu\n"}
MEMORY = {**BASE, "core/memory/memory.hpp": "// memory\n", "core/memory/map.hpp": "// map\n"}


class Ladder(TreeTest):
    def including(self, path: str, directive: str, files: dict[str, str] | None = None):
        return self.check(ladder, {**(files or MEMORY), path: f"// a file\n{directive}\n"})

    def test_downward_edges_pass(self):
        self.assert_clean(self.including("core/memory/a.cpp", '#include "core/base/base.hpp"'))
        self.assert_clean(self.including("core/memory/b.cpp", '#include "hal/cpu.hpp"'))
        self.assert_clean(self.including("core/memory/c.cpp", '#include "core/memory/map.hpp"'))

    def test_upward_edge(self):
        found = self.including("core/base/a.cpp", '#include "core/memory/memory.hpp"')
        self.assert_finding(found, "core/base/a.cpp", "upward include", line=2)

    def test_the_contract_is_a_rung(self):
        found = self.including("core/base/a.cpp", '#include "hal/cpu.hpp"')
        self.assert_finding(found, "core/base/a.cpp", "upward include: base stands below hal")
        found = self.including("hal/include/hal/x.hpp", '#include "core/memory/memory.hpp"')
        self.assert_finding(found, "hal/include/hal/x.hpp", "upward include")

    def test_undeclared_edge(self):
        files = {**BASE, "core/acpi/acpi.hpp": "// acpi\n"}
        found = self.including("core/tagfs/a.cpp", '#include "core/acpi/acpi.hpp"', files)
        self.assert_finding(found, "core/tagfs/a.cpp", "undeclared edge tagfs -> acpi")

    def test_unknown_room(self):
        found = self.including("core/attic/a.cpp", '#include "core/base/base.hpp"')
        self.assert_finding(found, "core/attic/a.cpp", "attic is not on the ladder")

    def test_internal_header(self):
        found = self.including("core/boot/a.cpp", '#include "core/memory/map.hpp"')
        self.assert_finding(found, "core/boot/a.cpp", "internal to the room memory")
        found = self.including("apps/images/a.cpp", '#include "core/memory/map.hpp"')
        self.assert_finding(found, "apps/images/a.cpp", "internal to the room memory")

    def test_tests_see_the_inside_of_what_they_mirror(self):
        directive = '#include "core/memory/map.hpp"'
        self.assert_clean(self.including("tests/core/memory/map.test.cpp", directive))
        found = self.including("tests/core/boot/boot.test.cpp", directive)
        self.assert_finding(found, "tests/core/boot/boot.test.cpp", "internal to the room memory")

    def test_the_contract_is_named_by_its_short_name(self):
        found = self.including("core/memory/a.cpp", '#include "hal/include/hal/cpu.hpp"')
        self.assert_finding(found, "core/memory/a.cpp", "included as hal/include/hal/cpu.hpp")

    def test_the_kernel_does_not_see_a_machine(self):
        files = {
            **MEMORY,
            "hal/hosted/ram.hpp": "// ram\n",
            "hal/hosted/include/machine/cpu.hpp": "",
        }
        found = self.including("core/memory/a.cpp", '#include "hal/hosted/ram.hpp"', files)
        self.assert_finding(found, "core/memory/a.cpp", "outside of core/")
        found = self.including("core/memory/b.cpp", "#include <machine/cpu.hpp>", files)
        self.assert_finding(found, "core/memory/b.cpp", "past the contract")
        files["hal/x86_64/isa/include/isa/entry.hpp"] = ""
        found = self.including("core/memory/c.cpp", "#include <isa/entry.hpp>", files)
        self.assert_finding(found, "core/memory/c.cpp", "outside of core/")

    def test_a_machine_sees_only_what_is_pure(self):
        files = {
            **BASE,
            "core/acpi/acpi.hpp": "",
            "core/boot/boot.hpp": "",
            "hal/x86_64/gdt.hpp": "",
        }
        files["hal/x86_64/isa/include/isa/entry.hpp"] = ""
        directive = '#include "core/acpi/acpi.hpp"'
        self.assert_clean(self.including("hal/x86_64/a.cpp", directive, files))
        directive = '#include "hal/x86_64/isa/include/isa/entry.hpp"'
        self.assert_clean(self.including("hal/hosted/a.cpp", directive, files))
        found = self.including("hal/x86_64/b.cpp", '#include "core/boot/boot.hpp"', files)
        self.assert_finding(found, "hal/x86_64/b.cpp", "may not include core/boot/boot.hpp")
        found = self.including("hal/hosted/b.cpp", '#include "hal/x86_64/gdt.hpp"', files)
        self.assert_finding(found, "hal/hosted/b.cpp", "may not include hal/x86_64/gdt.hpp")

    def test_a_quoted_name_must_exist(self):
        found = self.including("core/base/a.cpp", '#include "core/base/gone.hpp"')
        self.assert_finding(found, "core/base/a.cpp", "is not in the tree", line=2)

    def test_comments_and_literals_are_not_includes(self):
        text = '// #include "core/memory/memory.hpp"\n/*\n#include "gone.hpp"\n*/\n'
        self.assert_clean(self.check(ladder, {**MEMORY, "core/base/a.cpp": text}))

    def test_cycle_between_files(self):
        files = {
            "core/base/a.hpp": '#include "core/base/b.hpp"\n',
            "core/base/b.hpp": '#include "core/base/a.hpp"\n',
        }
        self.assert_finding(self.check(ladder, files), "core/base/a.hpp", "in a cycle")

    def test_a_declaration_that_leads_upward(self):
        self.configure({})
        text = self.configuration("ladder.toml").replace("\nbase = []", '\nbase = ["memory"]')
        self.configure({"ladder.toml": text})
        found = self.check(ladder, BASE)
        self.assert_finding(found, ladder.LADDER, "base -> memory leads upward")
        self.assert_finding(found, ladder.LADDER, "the pure room base uses memory")

    def test_a_header_alone(self):
        allocator = {"core/memory/allocator.hpp": '#include "core/base/base.hpp"\n'}
        directive = '#include "core/memory/allocator.hpp"'
        self.assert_clean(self.including("core/text/a.hpp", directive, {**MEMORY, **allocator}))
        found = self.including("core/text/b.cpp", '#include "core/memory/memory.hpp"')
        self.assert_finding(found, "core/text/b.cpp", "undeclared edge text -> memory")
        allocator = {"core/memory/allocator.hpp": '#include "core/memory/memory.hpp"\n'}
        found = self.check(ladder, {**allocator, "core/memory/memory.hpp": '#include "hal/cpu.hpp"'})
        self.assert_finding(found, ladder.LADDER, "text uses core/memory/allocator.hpp, which is not")


if __name__ == "__main__":
    unittest.main()
