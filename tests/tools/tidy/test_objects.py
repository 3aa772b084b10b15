"""The rules that read object files: `globals` and `vector`. The examples are really compiled."""

import os
import re
import unittest

from tests.tools.tidy.fixture import TreeTest
from tools.tidy.rules import globals as globals_rule, vector
from tools.tidy.tree import NeedsBuild

PATH = "core/base/a.cpp"


class Objects(TreeTest):
    def compiled(self, rule, text: str, target: str = "base_host", flags: list[str] | None = None):
        self.write({PATH: "// a\n" + text})
        self.compile([PATH], target, flags)
        return rule.check(self.tree())


class Globals(Objects):
    def test_constants_and_functions_pass(self):
        text = """
            #include <source_location>
            extern int outside;
            unsigned line(std::source_location where = std::source_location::current());
            unsigned g() { return line(); }
            constexpr int table[] = {1, 2, 3};
            extern char const* const names[2] = {"a", "b"};
            int f(int i) { return table[i] + outside + names[i][0]; }
        """
        self.assert_clean(
            self.compiled(
                globals_rule, text, flags=["-std=c++23", "-O2", "-fPIC", "-ffreestanding"]
            )
        )

    def test_each_kind_of_state(self):
        bad = {
            "initialised": ("int state = 1;", "state in .data"),
            "zero": ("int state;", "state in .bss"),
            "internal": ("static int state; int f() { return ++state; }", "state in .bss"),
            "static local": ("int f() { static int state; return ++state; }", "f()::state in .bss"),
            "a guard": (
                "int g(); int f() { static int const s = g(); return s; }",
                "guard variable for f()::s",
            ),
            "thread_local": ("thread_local int state = 1;", "state in .tdata"),
            "a constructor": ("struct S { S(); int i; }; S s;", "a constructor"),
            "inline": ("inline int state = 1; int f() { return ++state; }", "state in .data"),
        }
        for kind, (text, wrong) in bad.items():
            with self.subTest(kind):
                for preset in ("release", "unchecked"):
                    (self.root / f"build/{preset}/compile_commands.json").unlink(missing_ok=True)
                self.assert_finding(self.compiled(globals_rule, text), PATH, wrong)

    def test_a_missing_or_stale_object_is_said(self):
        self.compiled(globals_rule, "int f() { return 1; }")
        os.utime(self.root / PATH, ns=(2**62, 2**62))
        with self.assertRaisesRegex(NeedsBuild, "out of date.*cmake --build --preset release"):
            globals_rule.check(self.tree())
        (self.root / "build/release/compile_commands.json").unlink()
        with self.assertRaisesRegex(NeedsBuild, "cmake --preset release"):
            globals_rule.check(self.tree())


class Vector(Objects):
    FLOATS = ["-std=c++23", "-ffreestanding", "-O2"]

    def test_general_code_passes(self):
        text = "unsigned long sum(unsigned long const* a) { return a[0] + a[1] * a[2]; }"
        self.assert_clean(self.compiled(vector, text))

    def test_a_vector_register(self):
        text = "extern float a; void f() { a = a + 1; }"
        self.assert_finding(self.compiled(vector, text, flags=self.FLOATS), PATH, "f() (")

    def test_x87(self):
        text = "extern long double a; void f() { a = -a; }"
        self.assert_finding(self.compiled(vector, text, flags=self.FLOATS), PATH, "f() (f")

    def test_mask_registers(self):
        text = 'void f() { asm("kmovq %k1, %rax"); }'
        self.assert_finding(self.compiled(vector, text), PATH, "f() (kmovq")

    def test_programs_of_the_host_are_free(self):
        self.compiled(vector, "int f() { return 1; }")
        self.write({"core/base/b.cpp": "// b\nextern float a; void f() { a = a + 1; }\n"})
        self.compile(["core/base/b.cpp"], "base", ["-std=c++23", "-O2"])
        self.assert_clean(vector.check(self.tree()))

    def test_vector_objects_may_but_export_nothing_weak(self):
        self.configure({})
        declared, count = re.subn(
            r"(?m)^targets = \[.*\]$", 'targets = ["simd_host"]', self.configuration("ladder.toml")
        )
        self.assertEqual(1, count)
        self.configure({"ladder.toml": declared})
        good = "extern float a; void f() { a = a + 1; }"
        self.assert_clean(self.compiled(vector, good, "simd_host", self.FLOATS))
        text = (
            "inline float twice(float a) { return a + a; } extern float (*const p)(float) = twice;"
        )
        found = self.compiled(vector, text, "simd_host", self.FLOATS)
        self.assert_finding(found, PATH, "exports the weak symbol twice(float)")


if __name__ == "__main__":
    unittest.main()
