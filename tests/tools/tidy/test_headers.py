"""The rules `contract`, `self_sufficient` and `unused`: headers, and files that nobody needs."""

import unittest

from tests.tools.tidy.fixture import TreeTest
from tools.tidy.rules import contract, self_sufficient, unused
from tools.tidy.tree import NeedsBuild

GOOD = """\
// power
#pragma once
#include <machine/power.hpp>
namespace hal {
template<class P>
concept PowerContract = requires { P::exit(); };
static_assert(PowerContract<Power>, "not kept");
} // namespace hal
"""
HALF = '// power\n#pragma once\n#include "hal/power.hpp"\nnamespace hal { struct Power {}; }\n'
MACHINES = ("exemplar", "hosted", "x86_64")


class Contract(TreeTest):
    def machines(self, *names: str) -> dict[str, str]:
        return {f"hal/{name}/include/machine/power.hpp": HALF for name in names}

    def test_a_kept_contract(self):
        files = {"hal/include/hal/power.hpp": GOOD, **self.machines(*MACHINES)}
        self.assert_clean(self.check(contract, files))

    def test_the_concept_is_not_asserted(self):
        text = GOOD.replace('static_assert(PowerContract<Power>, "not kept");\n', "")
        found = self.check(
            contract, {"hal/include/hal/power.hpp": text, **self.machines(*MACHINES)}
        )
        self.assert_finding(found, "hal/include/hal/power.hpp", "PowerContract is never asserted")

    def test_the_assertion_is_not_last(self):
        text = GOOD.replace("} // namespace", "struct Late {};\n} // namespace")
        found = self.check(
            contract, {"hal/include/hal/power.hpp": text, **self.machines(*MACHINES)}
        )
        self.assert_finding(found, "hal/include/hal/power.hpp", "does not end with")

    def test_no_concept(self):
        text = "// power\n#include <machine/power.hpp>\n"
        found = self.check(
            contract, {"hal/include/hal/power.hpp": text, **self.machines(*MACHINES)}
        )
        self.assert_finding(found, "hal/include/hal/power.hpp", "declares no concept")

    def test_a_machine_lacks_its_half(self):
        files = {"hal/include/hal/power.hpp": GOOD, **self.machines("exemplar", "hosted")}
        found = self.check(contract, files)
        path = "hal/x86_64/include/machine/power.hpp"
        self.assert_finding(found, path, "the machine x86_64 has no machine/power.hpp")

    def test_a_machine_offers_more(self):
        files = {"hal/include/hal/power.hpp": GOOD, **self.machines(*MACHINES)}
        files["hal/hosted/include/machine/radio.hpp"] = "// radio\n"
        found = self.check(contract, files)
        self.assert_finding(found, "hal/hosted/include/machine/radio.hpp", "has no hal/radio.hpp")


class SelfSufficient(TreeTest):
    SOURCE = {"core/base/a.cpp": '#include <cstdint>\n#include "core/base/a.hpp"\n'}

    def test_a_header_that_leans_on_its_includer(self):
        header = "// a\n#pragma once\nstd::uint64_t length();\n"
        self.write({**self.SOURCE, "core/base/a.hpp": header})
        self.compile(["core/base/a.cpp"])
        found = self_sufficient.check(self.tree())
        self.assert_finding(found, "core/base/a.hpp", "does not compile alone", line=3)

    def test_a_header_that_stands_alone_and_is_remembered(self):
        header = "// a\n#pragma once\n#include <cstdint>\nstd::uint64_t length();\n"
        self.write({**self.SOURCE, "core/base/a.hpp": header})
        self.compile(["core/base/a.cpp"])
        tree = self.tree()
        self.assert_clean(self_sufficient.check(tree))
        tree.save_caches()
        self.assertTrue((self.root / "build/tidy/self_sufficient.json").exists())
        self.assert_clean(self_sufficient.check(self.tree()))

    def test_a_header_that_its_source_includes_first_was_shown_by_the_build(self):
        self.write({"core/base/a.cpp": '#include "core/base/a.hpp"\n', "core/base/a.hpp": "// a\n"})
        self.compile(["core/base/a.cpp"])
        self.write({"core/base/a.hpp": "// a\n#pragma once\nstd::uint64_t length();\n"})
        self.assert_clean(self_sufficient.check(self.tree()))

    def test_of_joined_sources_the_first_alone_shows_its_header(self):
        joined = "build/release/CMakeFiles/base_host.dir/Unity/unity_0_cxx.cxx"
        self.write({"core/base/a.cpp": '#include "core/base/a.hpp"\n#include <cstdint>\n'})
        self.write({"core/base/b.cpp": '#include "core/base/b.hpp"\n'})
        self.write({"core/base/a.hpp": "// a\n", "core/base/b.hpp": "// b\n#pragma once\n"})
        parts = [f'#include "{self.root}/core/base/{name}.cpp"\n' for name in "ab"]
        self.write({joined: "\n".join(parts)})
        self.compile([joined])
        self.write({"core/base/a.hpp": "// a\n#pragma once\nstd::uint64_t length();\n"})
        self.assert_clean(self_sufficient.check(self.tree()))
        self.write({"core/base/b.hpp": "// b\n#pragma once\nstd::uint64_t length();\n"})
        found = self_sufficient.check(self.tree())
        self.assert_finding(found, "core/base/b.hpp", "does not compile alone", line=3)

    def test_what_a_header_includes_first_is_shown_with_it(self):
        self.write({"core/base/a.cpp": '#include "core/base/a.hpp"\n'})
        self.write({"core/base/a.hpp": '// a\n#pragma once\n#include "core/base/b.hpp"\n'})
        self.write({"core/base/b.hpp": "// b\n#pragma once\n"})
        self.compile(["core/base/a.cpp"])
        self.write({"core/base/b.hpp": "// b\n#pragma once\nstd::uint64_t length();\n"})
        self.assert_clean(self_sufficient.check(self.tree()))
        for before in ("#include <cstdint>", "using Length = int;"):
            text = f'// a\n#pragma once\n{before}\n#include "core/base/b.hpp"\n'
            self.write({"core/base/a.hpp": text})
            found = self_sufficient.check(self.tree())
            self.assert_finding(found, "core/base/b.hpp", "does not compile alone", line=3)

    def test_behind_a_header_that_fails_each_is_compiled(self):
        self.write({"core/base/a.cpp": "#include <cstdint>\n#include \"core/base/a.hpp\"\n"})
        self.write({"core/base/a.hpp": '// a\n#pragma once\n#include "core/base/b.hpp"\nA a;\n'})
        self.write({"core/base/b.hpp": '// b\n#pragma once\n#include "core/base/c.hpp"\n'})
        self.write({"core/base/c.hpp": "// c\n#pragma once\nstd::uint64_t length();\n"})
        self.write({"core/base/d.cpp": '#include "core/base/d.hpp"\n', "core/base/d.hpp": "// d\n"})
        self.compile(["core/base/d.cpp"])
        found = self_sufficient.check(self.tree())
        self.assertEqual(3, len(found))

    def test_a_header_behind_precompiled_ones_was_not_shown(self):
        precompiled = "build/release/CMakeFiles/all.dir/cmake_pch.hxx"
        self.write({precompiled: "#include <cstdint>\n"})
        self.write({"core/base/a.cpp": '#include "core/base/a.hpp"\n'})
        self.write({"core/base/a.hpp": "// a\n#pragma once\nstd::uint64_t length();\n"})
        flags = ["-ffreestanding", "-include", f"{self.root}/{precompiled}"]
        self.compile(["core/base/a.cpp"], flags=flags)
        found = self_sufficient.check(self.tree())
        self.assert_finding(found, "core/base/a.hpp", "does not compile alone", line=3)

    def test_a_header_of_a_source_that_another_preset_builds(self):
        self.write({**self.SOURCE, "core/base/a.hpp": "// a\n#pragma once\n#include <cstdint>\n"})
        self.write({"tests/support/t.cpp": "", "tests/support/far/b.hpp": "// b\nB use();\n"})
        self.compile(["core/base/a.cpp", "tests/support/t.cpp"])
        found = self_sufficient.check(self.tree())
        self.assert_finding(found, "tests/support/far/b.hpp", "nothing includes it")
        self.write({"tests/support/far/b.cpp": '#include "tests/support/far/b.hpp"\n'})
        found = self_sufficient.check(self.tree())
        self.assert_finding(found, "tests/support/far/b.hpp", "does not compile alone", line=2)

    def test_without_a_build_it_fails(self):
        with self.assertRaisesRegex(NeedsBuild, "cmake --preset release"):
            self.check(self_sufficient, {"core/base/a.hpp": "// a\n"})


class Unused(TreeTest):
    FILES = {
        "core/base/CMakeLists.txt": "twofold_room(base SOURCES a.cpp\n    part/b.cpp\n"
        "    choice/${CHOICE}/d.cpp)\n",
        "core/base/choice/one/d.cpp": "",
        "core/base/choice/two/d.cpp": "",
        "core/base/a.cpp": '#include "core/base/a.hpp"\n',
        "core/base/part/b.cpp": "",
        "core/base/a.hpp": "",
        "tools/draw.py": "",
        "docs/drawing.md": "Run `tools/draw.py`.\n",
    }

    def test_everything_is_used(self):
        self.assert_clean(self.check(unused, self.FILES))

    def test_a_source_that_no_target_has(self):
        found = self.check(unused, {**self.FILES, "core/base/c.cpp": ""})
        self.assert_finding(found, "core/base/c.cpp", "no CMakeLists.txt names this source")

    def test_a_variable_stands_for_one_part_only(self):
        found = self.check(unused, {**self.FILES, "core/base/choice/two/deep/d.cpp": ""})
        self.assert_finding(found, "core/base/choice/two/deep/d.cpp", "no CMakeLists.txt")

    def test_a_source_named_in_a_comment_only(self):
        cmake = self.FILES["core/base/CMakeLists.txt"] + "# c.cpp\n"
        files = {**self.FILES, "core/base/CMakeLists.txt": cmake, "core/base/c.cpp": ""}
        self.assert_finding(self.check(unused, files), "core/base/c.cpp", "no CMakeLists.txt")

    def test_a_header_that_nobody_includes(self):
        found = self.check(unused, {**self.FILES, "core/base/c.hpp": ""})
        self.assert_finding(found, "core/base/c.hpp", "nobody includes this header")

    def test_a_script_that_nobody_mentions(self):
        found = self.check(unused, {**self.FILES, "tools/forgotten.sh": ""})
        self.assert_finding(found, "tools/forgotten.sh", "nobody mentions this script")


if __name__ == "__main__":
    unittest.main()
