"""The rules over clang: `clang_tidy`, `thread_safety`, and the pointer arithmetic of `confined`."""

import subprocess
import unittest
from pathlib import Path

from tests.tools.tidy.fixture import TreeTest
from tools.tidy.rules import clang_tidy, confined, thread_safety

REPOSITORY = Path(__file__).resolve().parents[3]
PATH = "core/base/a.cpp"
FLAGS = ["-std=c++23", "-ffreestanding", "-Wthread-safety", "-Werror=thread-safety"]


class Analysis(TreeTest):
    def setUp(self):
        super().setUp()
        self.configure({"ratchet.json": "{}", "confined.toml": ""})
        self.write({".clang-tidy": (REPOSITORY / ".clang-tidy").read_text()})

    def compiled(self, text: str, flags: list[str] | None = None):
        self.write({PATH: "// a\n" + text})
        self.compile([PATH], flags=flags)
        return self.tree()


class ClangTidy(Analysis):
    def test_a_defect_is_found_and_remembered(self):
        tree = self.compiled(
            "int f(int a) {\n    int* p = nullptr;\n    return a > 0 ? *p : 0;\n}\n"
        )
        self.assert_finding(clang_tidy.check(tree), PATH, "Dereference of null pointer", line=4)
        tree.save_caches()
        self.assert_finding(clang_tidy.check(self.tree()), PATH, "Dereference of null", line=4)

    def test_a_header_is_examined_through_its_user(self):
        header = "// a\n#pragma once\ninline int f(int a) {\n    return a > 0 ? 1 : 1;\n}\n"
        self.write({"core/base/a.hpp": header})
        tree = self.compiled('#include "core/base/a.hpp"\n')
        self.assert_finding(clang_tidy.check(tree), "core/base/a.hpp", "identical", line=4)

    def test_good_code_passes(self):
        self.assert_clean(clang_tidy.check(self.compiled("int f(int a) {\n    return a + 1;\n}\n")))

    def test_only_what_changed_is_examined(self):
        bad = "int f(int a) {\n    return a > 0 ? 1 : 1;\n}\n"
        self.compiled(bad)

        def git(*arguments: str) -> None:
            identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
            command = ["git", "-C", str(self.root), *identity, *arguments]
            subprocess.run(command, check=True, capture_output=True)

        git("init", "-q", "-b", "main")
        git("add", PATH, ".clang-tidy")
        git("commit", "-q", "-m", "a")
        git("commit", "-q", "-m", "b", "--allow-empty")
        self.assert_clean(clang_tidy.check(self.tree()))
        self.assert_finding(clang_tidy.check(self.tree(everything=True)), PATH, "identical")


class PointerArithmetic(Analysis):
    def test_it_is_confined(self):
        tree = self.compiled("int f(int const* p, int i) {\n    return p[i];\n}\n")
        self.assert_finding(
            confined.check(tree), PATH, "pointer_arithmetic outside of hal/", line=3
        )
        self.assert_clean(clang_tidy.check(tree))

    def test_a_span_is_the_way(self):
        text = "#include <span>\nint f(std::span<int const> p) {\n    return p[1];\n}\n"
        self.assert_clean(confined.check(self.compiled(text)))


class ThreadSafety(Analysis):
    EXAMPLE = """
        struct [[clang::capability("mutex")]] Lock {
            void lock() [[clang::acquire_capability]];
            void unlock() [[clang::release_capability]];
        };
        struct Counter {
            Lock lock;
            int count [[clang::guarded_by(lock)]] = 0;
            void add() { BODY }
        };
        void use(Counter& counter) { counter.add(); }
    """

    def compiles(self, body: str) -> bool:
        """Whether clang accepts the example with the flags that the rule demands."""
        text = self.EXAMPLE.replace("BODY", body)
        for name in ("acquire_capability", "release_capability"):
            text = text.replace(f"[[clang::{name}]]", f"__attribute__(({name}()))")
        text = text.replace("[[clang::guarded_by(lock)]]", "__attribute__((guarded_by(lock)))")
        text = text.replace(
            '[[clang::capability("mutex")]]', '__attribute__((capability("mutex")))'
        )
        command = ["clang++-19", *FLAGS, "-fsyntax-only", "-x", "c++", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.assertIn("thread-safety", done.stderr)
        return done.returncode == 0

    def test_the_flags_refuse_an_unguarded_access(self):
        self.assertTrue(self.compiles("lock.lock(); ++count; lock.unlock();"))
        self.assertFalse(self.compiles("++count;"))
        self.assertFalse(self.compiles("lock.lock(); ++count;"))

    def test_the_project_has_these_flags(self):
        machines = (REPOSITORY / "cmake/machines.cmake").read_text()
        for flag in thread_safety.WANTED:
            self.assertIn(flag, machines)

    def test_a_target_without_the_flags(self):
        tree = self.compiled("int f();\n", flags=["-std=c++23"])
        self.assert_finding(thread_safety.check(tree), PATH, "-Werror=thread-safety")

    def test_a_target_with_the_flags(self):
        self.write({PATH: "// a\n"})
        self.compile([PATH], flags=["-std=c++23"])
        database = self.root / "build/clang/compile_commands.json"
        database.write_text(
            database.read_text().replace('"-std=c++23"', '"' + '", "'.join(FLAGS) + '"')
        )
        self.assert_clean(thread_safety.check(self.tree()))


if __name__ == "__main__":
    unittest.main()
