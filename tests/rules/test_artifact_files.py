from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.artifact import Artifact, FileKind
from pytest_causal.rules.artifact_files import Columns, Stretch, ending_with, in_columns, total_sizes


def an_artifact(number: int) -> Artifact:
    kinds = list(FileKind)
    return Artifact(
        f"f{number}", number, 2 * number, 3 * number, 0o644, 5, 6, 1, 7, kinds[number % len(kinds)]
    )


def test_columns_hold_what_the_files_do_in_their_order() -> None:
    files = [an_artifact(number) for number in range(2500)]  # several chunks, the last of them not full
    columns = in_columns(files)
    assert list(map(Artifact._make, zip(*columns[1:], strict=True))) == files
    assert columns.artifacts is files


def test_each_column_holds_what_its_name_says() -> None:
    columns = in_columns([an_artifact(3)])
    assert (columns.names, columns.sizes_bytes, columns.allocated_bytes) == (["f3"], [3], [6])
    assert (columns.mtimes_ns, columns.modes, columns.inodes) == ([9], [0o644], [5])
    assert (columns.devices, columns.links, columns.uids) == ([6], [1], [7])
    assert columns.kinds == [FileKind.SYMLINK]


def test_no_files_have_empty_columns() -> None:
    assert in_columns([]) == Columns([], *([] for _ in Artifact._fields))


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_stretch_takes_the_same_of_a_column_however_its_numbers_are_given(first: int, length: int) -> None:
    column = [number * number for number in range(40)]
    numbers = range(first, first + length)
    together, apart = (Stretch("a/0", each, is_plain=True) for each in (numbers, [*numbers]))
    assert [*together.of(column)] == [*apart.of(column)] == [number * number for number in numbers]


def test_endings_are_found_at_the_ends_only() -> None:
    names = ["a.keep", "a.keeper", "x\n.keep", "b.tmp", ".keep/c", "d"]
    assert ending_with(names, ".keep", ".tmp") == [0, 2, 3]
    assert ending_with(names, ".zst") == []
    assert ending_with([], ".keep") == []


def test_sizes_are_those_of_regular_files_each_inode_once() -> None:
    def file(name: str, size_bytes: int, **fields: int | FileKind) -> Artifact:
        given = Artifact(name, size_bytes, 4096, 0, 0o644, size_bytes, 1, 1, 0, FileKind.REGULAR)
        return given._replace(**fields)  # type: ignore[arg-type] # fields of it

    listing = [
        file("a", 10),
        file("b.zst", 200, kind=FileKind.FRAME),
        file("c", 3000, links=2),
        file("c too", 3000, links=2),
        file("elsewhere", 3000, links=2, device=2),
        file("d", 40_000, kind=FileKind.DIRECTORY, links=5),
        file("e", 500_000, kind=FileKind.SYMLINK),
    ]
    assert total_sizes(in_columns(listing)) == (6210, 4 * 4096)
    assert total_sizes(in_columns([])) == (0, 0)
