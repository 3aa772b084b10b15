"""The program itself, and what the rules stand on: lexer, functions, cycles, cache, ratchet."""

import contextlib
import io
import json
import subprocess
import unittest

from tests.tools.tidy.fixture import TreeTest
from tools.tidy import lexer, ratchet, rules, tidy
from tools.tidy.cache import Cache, digest
from tools.tidy.functions import functions
from tools.tidy.includes import cycles


class Program(TreeTest):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = tidy.main(["--root", str(self.root), *arguments])
            except SystemExit as end:
                status = end.code
        return status, output.getvalue(), errors.getvalue()

    def test_a_clean_tree(self):
        status, output, _ = self.run_main("opening", "format")
        self.assertEqual((0, "tidy: 2 rules, 0 findings\n"), (status, output))

    def test_findings(self):
        self.write({"core/base/a.hpp": "int a;\n"})
        status, output, _ = self.run_main("opening")
        self.assertEqual(1, status)
        self.assertIn("core/base/a.hpp:1: [opening] ", output)
        self.assertTrue(output.endswith("tidy: 1 rules, 2 findings\n"))
        records = json.loads(self.run_main("--json", "opening")[1])
        self.assertEqual(("core/base/a.hpp", 1), (records[0]["path"], records[0]["line"]))

    def test_a_missing_build_is_not_passed_over(self):
        status, output, _ = self.run_main("globals")
        self.assertEqual(1, status)
        self.assertIn("build/release is not configured; run: cmake --preset release", output)
        status, output, errors = self.run_main("--no-objects", "globals")
        self.assertEqual((0, "tidy: 0 rules, 0 findings\n"), (status, output))
        self.assertIn("globals left out", errors)

    def test_usage_errors(self):
        self.assertEqual(64, self.run_main("no-such-rule")[0])
        status, _, errors = self.run_main("--no-such-option")
        self.assertEqual(64, status)
        self.assertIn("--no-such-option", errors)

    def test_every_rule_is_listed_and_explained(self):
        output = self.run_main("--list")[1]
        for rule in rules.load():
            self.assertIn(rule.name, output)
            self.assertTrue(rule.explain)


class Lexer(unittest.TestCase):
    def test_positions_are_kept(self):
        source = 'int a; // "x"\nauto s = R"(a // b)"; /* c\nd */ char q = \'"\'; int n = 1\'000;\n'
        code = lexer.code_only(source)
        self.assertEqual(len(source), len(code))
        self.assertEqual(source.count("\n"), code.count("\n"))
        for gone in ("x", "a //", "c\n", "d */"):
            self.assertNotIn(gone, code)
        self.assertIn("int n = 1'000;", code)
        self.assertEqual(source.index("char"), code.index("char"))

    def test_includes(self):
        source = '#include <a>\n// #include <b>\n#  include "c/d.hpp" // why\n'
        self.assertEqual([(1, "a", False), (3, "c/d.hpp", True)], lexer.includes(source))


class Functions(unittest.TestCase):
    SOURCE = """
namespace n {
template<class T = S<int>>
concept C = requires(T t) {
    { t.f() };
};
class [[nodiscard]] K : public B {
public:
    K(int a) : m_a{a} {
        g();
    }
    bool operator==(K const&) const { return true; }
private:
    int m_a = {};
};
class CAPABILITY("lock") L : public B {
public:
    void take() {
    }
};
enum class E { a, b };
constexpr int table[] = {1, 2};
#define M(x) \\
    do {     \\
    } while (x)
template<class T>
    requires C<T>
int long_one(T t) noexcept {
    if (t) {
        auto l = [&] { return 1; };
    }
    return 1;
}
} // namespace n
extern "C" {
void c() {}
}
extern "C" void d() {
}
"""

    def test_functions_are_found(self):
        found = {one.name: one.lines for one in functions(lexer.code_only(self.SOURCE))}
        self.assertEqual(8, found.pop("long_one"))
        self.assertEqual(1, found.pop("c"))
        self.assertEqual(2, found.pop("d"))
        self.assertIn("K", found)
        self.assertIn("take", found)
        self.assertFalse({"if", "M", "C", "table", "CAPABILITY"} & found.keys(), found)


class Parts(TreeTest):
    def test_cycles(self):
        graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}
        self.assertEqual([["a", "b", "c"]], cycles(graph))

    def test_the_cache_survives_and_forgives(self):
        path = self.root / "cache.json"
        cache = Cache(path)
        self.assertIsNone(cache.get("k"))
        cache.put("k", [1])
        cache.save()
        self.assertEqual([1], Cache(path).get("k"))
        path.write_text("{broken")
        self.assertIsNone(Cache(path).get("k"))
        self.assertNotEqual(digest("ab", "c"), digest("a", "bc"))

    def test_the_ratchet_may_not_be_raised(self):
        def git(*arguments: str) -> None:
            identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
            command = ["git", "-C", str(self.root), *identity, *arguments]
            subprocess.run(command, check=True, capture_output=True)

        self.write({ratchet.FILE: json.dumps({"sizes": {"a": 600}})})
        git("init", "-q", "-b", "main")
        git("add", ".")
        git("commit", "-q", "-m", "a")
        git("commit", "-q", "-m", "b", "--allow-empty")
        self.configure({"ratchet.json": json.dumps({"sizes": {"a": 601}})})
        places = {"a": ("a", 0, "too long")}
        found = ratchet.compare(self.tree(), "sizes", {"a": 601}, places, "shorten it")
        self.assert_finding(found, ratchet.FILE, "a was raised from 600 to 601")


if __name__ == "__main__":
    unittest.main()
