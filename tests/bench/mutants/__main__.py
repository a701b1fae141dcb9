"""Break the core modules on purpose, one small change at a time, and list the changes that no test notices.

mutmut makes the mutants and runs, for each, the tests that reach its function. This module chooses what to mutate and which
tests count, takes a sample that stays the same from run to run, and writes build/mutants.json. Two such files can be compared,
also across a refactoring: a mutant is known by its function and its changed lines.

    python -m tests.bench.mutants [--all] [--sample PERCENT] [--root TREE] [--output FILE] [--compare FILE]
"""

import argparse
import ast
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

MODULES = (
    "lib/approvals/issue_creation.py",
    "lib/approvals/operations.py",
    "lib/approvals/repository.py",
    "lib/approvals/workflow.py",
    "lib/jira/issue_reader.py",
    "lib/jira/issue_writer.py",
    "lib/jira/items.py",
    "lib/jira/reconciliation/merge.py",
    "lib/leases/enrichment.py",
    "lib/leases/events.py",
    "lib/platform/claims.py",
    "lib/platform/dynamodb.py",
    "lib/shuttle/jobs/lifecycle.py",
    "lib/shuttle/jobs/limits.py",
    "lib/shuttle/jobs/transitions.py",
    "lib/web/signatures.py",
    "stack/components/iam.py",
)
# The tests that count. Of these, mutmut runs against a mutant those that reach its function. Properties that run for half a
# minute are left out: a mutant may not survive the fast tests.
TESTS = (
    "tests/unit/approvals",
    "tests/unit/jira",
    "tests/unit/leases",
    "tests/unit/platform",
    "tests/unit/shuttle",
    "tests/unit/web",
    "tests/unit/handlers/test_approval_worker.py",
    "tests/unit/handlers/test_approvals.py",
    "tests/unit/handlers/test_jira_worker.py",
    "tests/property/test_lease_key_property.py",
    "tests/property/test_lease_schema_property.py",
    "tests/property/shuttle/test_entities_round_trip.py",
    "tests/infra/test_policies.py",
)
SAMPLE_PERCENT = 12
SEED = "2026-11"
KILLED, SURVIVED = "killed", "survived"
# How mutmut names what came of a mutant, by the exit code of pytest: 0 is a survivor, 33 a function that no test reaches.
SURVIVING_CODES = {0, 33}
# pytest itself failed, or was stopped: not a verdict on the mutant.
UNKNOWN_CODES = {2, 4, None}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where it is and which lines it removes and adds."""

    name: str
    module: str
    function: str
    change: str

    @property
    def key(self) -> str:
        """What stays the same when the module moves or other functions of it change."""
        return f"{Path(self.module).stem}:{self.function}:{self.change}"

    def is_sampled(self, percent: int) -> bool:
        """Whether the mutant is in the sample: decided by its key, so that two trees are sampled alike."""
        digest = hashlib.sha256(f"{SEED}:{self.key}".encode()).digest()
        return int.from_bytes(digest[:4], "big") % 100 < percent


def copy_tree(root: Path, work: Path) -> None:
    """Copy the tracked files of ``root`` and add mutmut's configuration to the copy."""
    shutil.rmtree(work, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, work / name)
    modules = [module for module in MODULES if (work / module).exists()]
    tests = [test for test in TESTS if (work / test).exists()]
    for missing in {*MODULES, *TESTS} - {*modules, *tests}:
        print(f"not there, left out: {missing}", file=sys.stderr)
    folders = sorted(path.name for path in work.iterdir() if path.name not in {"tests", "pyproject.toml"})
    with (work / "pyproject.toml").open("a") as file:
        file.write(
            f"\n[tool.mutmut]\nsource_paths = {json.dumps(modules)}\nalso_copy = {json.dumps(folders)}\n"
            f"pytest_add_cli_args_test_selection = {json.dumps(tests)}\n"
            'pytest_add_cli_args = ["-p", "no:cacheprovider"]\nuse_git_change_detection = false\n'
        )


def mutmut(work: Path, task: str, workers: int, names: Iterable[str] = ()) -> None:
    """Have mutmut do a task in the copy."""
    script = Path(__file__).with_name("run_mutmut.py")
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(script), task, str(workers)]
    subprocess.run(command, cwd=work, check=True, env=environment, input="\n".join(names), text=True)


def read_mutants(work: Path, module: str) -> Iterator[Mutant]:
    """The mutants that mutmut wrote next to the original functions of a module."""
    source = work / "mutants" / module
    functions: dict[str, dict[str, list[str]]] = {}
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = re.fullmatch(r"(x.+)__mutmut_(orig|\d+)", node.name)
            if found:
                node.name = "f"
                functions.setdefault(found[1], {})[found[2]] = ast.unparse(node).splitlines()
    dotted = module.removesuffix(".py").replace("/", ".")
    for mangled, versions in functions.items():
        readable = mangled.removeprefix("x").replace("ǁ", ".").strip(".").removeprefix("_")
        for number, lines in versions.items():
            if number != "orig":
                diff = difflib.ndiff(versions["orig"], lines)
                change = "\n".join(" ".join(line.split()) for line in diff if line[0] in "-+")
                yield Mutant(f"{dotted}.{mangled}__mutmut_{number}", module, readable, change)


def read_results(work: Path, mutants: list[Mutant]) -> dict[str, dict[str, str]]:
    """What came of each mutant that was run, by its key."""
    codes: dict[str, int | None] = {}
    for module in {mutant.module for mutant in mutants}:
        codes.update(json.loads((work / "mutants" / f"{module}.meta").read_text())["exit_code_by_key"])
    return {
        mutant.key: {**asdict(mutant), "result": SURVIVED if codes[mutant.name] in SURVIVING_CODES else KILLED}
        for mutant in mutants
        if codes.get(mutant.name) not in UNKNOWN_CODES
    }


def print_report(results: dict[str, dict[str, str]]) -> None:
    """A table by module, and the survivors."""
    counts = Counter((each["module"], each["result"]) for each in results.values())
    print(f"\n{'module':46}{'killed':>8}{'survived':>10}")
    for module in sorted({each["module"] for each in results.values()}):
        print(f"{module:46}{counts[module, KILLED]:8}{counts[module, SURVIVED]:10}")
    total = Counter(each["result"] for each in results.values())
    print(f"{'all':46}{total[KILLED]:8}{total[SURVIVED]:10}\n")
    for each in results.values():
        if each["result"] == SURVIVED:
            print(f"survived: {each['module']} {each['function']}\n    " + each["change"].replace("\n", "\n    "))


def short_key(function: str, change: str) -> str:
    """What stays the same when a class or module is renamed."""
    return f"{function.rpartition('.')[2]}:{change}"


def compare(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> int:
    """Print the mutants that were killed before and survive now; return how many."""
    former = {short_key(each["function"], each["change"]): each["result"] for each in before.values()}
    current = {short_key(each["function"], each["change"]): each for each in after.values()}
    lost = [each for key, each in current.items() if each["result"] == SURVIVED and former.get(key) == KILLED]
    print(f"\n{len(former.keys() & current.keys())} mutants are in both; {len(lost)} were killed before and survive now")
    for each in lost:
        print(f"LOST: {each['module']} {each['function']}\n    " + each["change"].replace("\n", "\n    "))
    return len(lost)


def main() -> int:
    """Run the sample, or compare two finished runs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mutants", description="Mutation tests of the core modules.")
    parser.add_argument("--all", action="store_true", help="run every mutant, not a sample (hours)")
    parser.add_argument("--sample", type=int, default=SAMPLE_PERCENT, metavar="PERCENT", help="share of the mutants to run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the tree to mutate (a copy of it)")
    parser.add_argument("--output", type=Path, default=Path("build/mutants.json"))
    parser.add_argument("--keep", action="store_true", help="go on with the copy of an earlier run")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="fail if a mutant that FILE has as killed survives")
    options = parser.parse_args()
    work = options.output.resolve().with_suffix(".work")
    if not options.keep:
        copy_tree(options.root.resolve(), work)
        mutmut(work, "generate", options.workers)
    modules = [module for module in MODULES if (work / module).exists()]
    everything = [mutant for module in modules for mutant in read_mutants(work, module)]
    before = json.loads(options.compare.read_text()) if options.compare else {}
    known = {short_key(each["function"], each["change"]) for each in before.values()}
    chosen = [
        mutant
        for mutant in everything
        if options.all or mutant.is_sampled(options.sample) or short_key(mutant.function, mutant.change) in known
    ]
    print(f"{len(chosen)} of {len(everything)} mutants", flush=True)
    mutmut(work, "run", options.workers, [mutant.name for mutant in chosen])
    results = read_results(work, chosen)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print_report(results)
    return 1 if compare(before, results) else 0


if __name__ == "__main__":
    sys.exit(main())
