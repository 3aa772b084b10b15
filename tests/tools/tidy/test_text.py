"""The rules that read text: `sizes`, `opening`, `forbidden`, `confined`, `format`; the ratchet."""

import json
import unittest

from tests.tools.tidy.fixture import TreeTest
from tools.tidy.rules import confined, forbidden, format as format_rule, opening, sizes

NO_RATCHET = {"ratchet.json": "{}"}


class Sizes(TreeTest):
    def setUp(self):
        super().setUp()
        self.configure(NO_RATCHET)

    def function(self, lines: int) -> str:
        return "// a\nvoid f() {\n" + "    g();\n" * (lines - 2) + "}\n"

    def test_limits_are_allowed(self):
        files = {"core/base/a.cpp": self.function(70), "core/base/b.cpp": "// b\n" * 500}
        self.assert_clean(self.check(sizes, files))

    def test_a_long_function(self):
        found = self.check(sizes, {"core/base/a.cpp": self.function(71)})
        self.assert_finding(found, "core/base/a.cpp", "f has 71 lines", line=2)

    def test_a_long_python_function(self):
        text = '"""A."""\n\ndef f():\n' + "    g()\n" * 71
        self.assert_finding(self.check(sizes, {"tools/a.py": text}), "tools/a.py", "f has 72 lines")

    def test_a_long_file(self):
        found = self.check(sizes, {"core/base/a.cpp": "// a\n" * 501})
        self.assert_finding(found, "core/base/a.cpp", "501 lines")

    def test_a_long_line(self):
        found = self.check(sizes, {"core/base/a.cpp": "// a\n// " + "x" * 98 + "\n"})
        self.assert_finding(found, "core/base/a.cpp", "101 columns", line=2)
        wide = {"tools/a.sh": "#" * 120 + "\n", "tools/b.sh": "#" * 121 + "\n"}
        found = [one for one in self.check(sizes, wide) if one.path.startswith("tools/")]
        self.assertEqual(["tools/b.sh"], [one.path for one in found])

    def test_the_ratchet_allows_and_only_falls(self):
        self.configure({"ratchet.json": json.dumps({"sizes": {"core/base/a.cpp": 600}})})
        self.assert_clean(self.check(sizes, {"core/base/a.cpp": "// a\n" * 600}))
        found = self.check(sizes, {"core/base/a.cpp": "// a\n" * 601})
        self.assert_finding(found, "core/base/a.cpp", "601 lines")
        found = self.check(sizes, {"core/base/a.cpp": "// a\n" * 550})
        self.assert_finding(found, "tools/tidy/ratchet.json", "is at 550, the ratchet still allows")
        sizes.fix(self.tree())
        self.assertEqual(
            550, json.loads(self.configuration("ratchet.json"))["sizes"]["core/base/a.cpp"]
        )
        self.assert_clean(sizes.check(self.tree()))
        self.write({"core/base/a.cpp": "// a\n" * 700})
        sizes.fix(self.tree())
        self.assertEqual(
            550, json.loads(self.configuration("ratchet.json"))["sizes"]["core/base/a.cpp"]
        )


class Opening(TreeTest):
    def test_openings(self):
        good = {"core/base/a.hpp": "// What it is for.\n#pragma once\n", "tools/a.py": '"""A."""\n'}
        self.assert_clean(self.check(opening, good))
        found = self.check(opening, {"core/base/b.hpp": "int b;\n", "tools/b.py": "import os\n"})
        self.assert_finding(found, "core/base/b.hpp", "does not open with a comment")
        self.assert_finding(found, "core/base/b.hpp", "without #pragma once")
        self.assert_finding(found, "tools/b.py", "documentation string")


class Forbidden(TreeTest):
    BAD = {
        "std::atomic<int> a;": "std::atomic",
        "thread_local int a;": "thread_local",
        "auto* a = new int;": "new",
        "auto* b = new (std::nothrow) B;": "new",
        "delete a;": "delete",
        "void* a = malloc(1);": "malloc",
        "throw 1;": "throw",
        "try {": "try",
        "auto& a = typeid(b);": "typeid",
        "auto* a = dynamic_cast<B*>(b);": "dynamic_cast",
        "#ifdef __x86_64__": "which machine",
        "#if defined(__linux__) && 1": "which machine",
        "#ifdef HOSTED": "which machine",
        "auto a = std::chrono::steady_clock::now();": "std::chrono",
        "u64 a = __rdtsc();": "__rdtsc",
        "std::random_device a;": "random_device",
        "float a = 1;": "float",
        "double a;": "double",
        'snprintf(a, 1, "");': "snprintf",
        "std::function<void()> a;": "std::function",
        "std::string a;": "std::string",
        "std::vector<int> a;": "std::vector",
        "#include <vector>": "<vector>",
        "volatile int a;": "volatile",
        "[[gnu::weak]] void f();": "weak symbol",
        "void f() NO_THREAD_SAFETY_ANALYSIS;": "switched off",
        '#pragma GCC diagnostic ignored "-Wthread-safety"': "switched off",
        "// TODO: later": "TODO",
        "// see /home/somebody/notes": "/home/somebody",
        "int a;\t": "a tab",
        "int a; ": "white space",
        "int a; // NOLINT": "without its name",
    }
    GOOD = (
        "Thing(Thing const&) = delete;",
        "// a new thread_local std::atomic, try it",
        'fail("throw new std::string");',
        "u64 renewed = try_new + floating;",
        "std::string_view a;",
        "#ifdef TWOFOLD_WITHOUT_CHECKS",
        "pool.free(a);",
        "Result<void> Pool::free(u64 a) {",
        "Result<void> Pool<T>::free(u64 a) {",
        "#include <new>",
        "static volatile std::sig_atomic_t interrupted;",
        "auto* a = new (place) A(1);",
        "int a; // NOLINT(bugprone-x): the reason is here",
        "// work/home and http://example.org/home/page are no paths here",
        "auto a = 1'000'000; auto b = 'x';",
    )

    def test_each_bad_token_is_found(self):
        for line, wrong in self.BAD.items():
            with self.subTest(line):
                found = self.check(forbidden, {"core/base/a.cpp": f"// a\n{line}\n"})
                self.assert_finding(found, "core/base/a.cpp", wrong, line=2)

    def test_each_good_line_passes(self):
        for line in self.GOOD:
            with self.subTest(line):
                self.assert_clean(self.check(forbidden, {"core/base/a.cpp": f"// a\n{line}\n"}))

    def test_areas(self):
        text = "// a\n#include <string>\nstd::string a; double b; volatile int c;\n"
        self.assert_clean(self.check(forbidden, {"tools/a.cpp": text, "hal/hosted/a.cpp": text}))

    def test_the_exception_for_atomic(self):
        self.assert_clean(
            self.check(forbidden, {"core/base/atomic.hpp": "// a\nstd::atomic<int> a;\n"})
        )


class Confined(TreeTest):
    PATH = "core/memory/a.hpp"
    ENTRY = f'[[file]]\npath = "{PATH}"\nconstructs = ["reinterpret_cast"]\nwhy = "{{}}"\n'

    def setUp(self):
        super().setUp()
        self.configure({**NO_RATCHET, "confined.toml": ""})
        self.write({"build/clang/compile_commands.json": "[]"})

    def permit(self, why: str, count: int) -> None:
        counts = {"confined": {f"{self.PATH}:reinterpret_cast": count}}
        self.configure(
            {"confined.toml": self.ENTRY.format(why), "ratchet.json": json.dumps(counts)}
        )

    def test_each_construct(self):
        bad = {
            'asm volatile("cli");': "assembly",
            '__asm__("cli");': "assembly",
            "auto a = reinterpret_cast<u64>(p);": "reinterpret_cast",
            "auto a = std::bit_cast<int*>(p);": "reinterpret_cast",
            "auto a = (int*)p;": "pointer_cast",
            "return (Header const*)p;": "pointer_cast",
            "f((void*)&a);": "pointer_cast",
        }
        for line, construct in bad.items():
            with self.subTest(line):
                found = self.check(confined, {self.PATH: f"// a\n{line}\n"})
                self.assert_finding(found, self.PATH, f"{construct} outside of hal/", line=2)

    def test_good_lines(self):
        good = (
            "void f(char const*) const;",
            "void f(void (*entry)(void*), void* argument);",
            "auto a = static_cast<int*>(p); auto b = sizeof(int*);",
            "// asm, reinterpret_cast<int*>(p)",
            "bool g(Header const*) noexcept;",
        )
        for line in good:
            with self.subTest(line):
                self.assert_clean(self.check(confined, {self.PATH: f"// a\n{line}\n"}))

    def test_the_machine_may(self):
        text = '// a\nasm("cli");\n'
        self.assert_clean(self.check(confined, {"hal/x86_64/a.cpp": text, "tests/hal/a.cpp": text}))

    def test_a_listed_file_may_as_often_as_the_ratchet_says(self):
        text = "// a\nauto a = reinterpret_cast<u64>(p);\n"
        self.permit("it is sound", 1)
        self.assert_clean(self.check(confined, {self.PATH: text}))
        found = self.check(confined, {self.PATH: text + text})
        self.assert_finding(found, self.PATH, "2 uses of reinterpret_cast")
        found = self.check(confined, {self.PATH: "// a\n"})
        self.assert_finding(found, confined.LIST, "listed but not used")

    def test_a_reason_is_needed(self):
        self.permit("", 1)
        found = self.check(confined, {self.PATH: "// a\nauto a = reinterpret_cast<u64>(p);\n"})
        self.assert_finding(found, self.PATH, "outside of hal/")


class Format(TreeTest):
    SETTINGS = {".clang-format": "BasedOnStyle: LLVM\n"}

    def test_formatting_is_found_and_mended(self):
        files = {**self.SETTINGS, "core/base/a.cpp": "// a\nint  a;\n"}
        found = self.check(format_rule, files)
        self.assert_finding(found, "core/base/a.cpp", "clang-format", line=2)
        format_rule.fix(self.tree())
        self.assertEqual("// a\nint a;\n", (self.root / "core/base/a.cpp").read_text())
        self.assert_clean(format_rule.check(self.tree()))


if __name__ == "__main__":
    unittest.main()
