from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_causal.artifacts import archive as archive_module
from pytest_causal.artifacts import codec
from pytest_causal.artifacts.archive import (
    PIECE_BYTES,
    ArchiveResult,
    list_archive,
    read_member,
    read_members,
    restore_members,
    write_archive,
)
from pytest_causal.artifacts.archive_index import (
    MEMBER_LIMIT_BYTES,
    Index,
    Member,
    Piece,
    encode_index,
    tar_entry,
    tar_header,
)
from pytest_causal.artifacts.codec import compressor
from pytest_causal.artifacts.directory import Root
from pytest_causal.errors import (
    ArtifactError,
    DataError,
    ExitCode,
    MissingInputError,
    NameTakenError,
    UsageError,
)
from pytest_causal.model.artifact import Artifact, FileKind

NAME = "run/bundle.tar.zst"
ODD_NAMES = [
    b"new\nline.json",
    b"\xff\xfe.json",
    b"-rf",
    b"\x1b[31m.json",
    "ü.json".encode(),
    b"x" * 100,
    b"y" * 101,
    b"z" * 255,
    b"deep/er/" + b"w" * 200,
]
needs_tools = pytest.mark.skipif(
    not (shutil.which("zstd") and shutil.which("tar")) and "CI" not in os.environ,
    reason="zstd or tar is not installed (where CI is set this would fail instead)",
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "root" / "run").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def root(place: Path) -> Iterator[Root]:
    with Root.open(place) as opened:
        yield opened


def summary(number: int) -> bytes:
    """Return what the summary of an iteration may look like: much alike, with numbers of its own."""
    rng = random.Random(number)
    kpis = {f"kpi_{key}": {"mean": rng.gauss(10, 3), "p95": rng.gauss(30, 4)} for key in range(12)}
    return json.dumps({"schema": "causal.iteration/1", "iteration": number, "kpis": kpis}, indent=1).encode()


def fill(root: Root, files: dict[str, bytes], *, mode: int = 0o640) -> list[Artifact]:
    for number, (name, content) in enumerate(files.items()):
        path = root.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        os.utime(path, ns=(0, 10**18 + 7 * number))
    return listing(root)


def listing(root: Root) -> list[Artifact]:
    return sorted(each for each in root.list() if each.kind is FileKind.REGULAR)


def entry(root: Root, name: str) -> Artifact:
    found = root.look_up(name)
    assert found is not None
    return found


def summaries(count: int) -> dict[str, bytes]:
    return {f"run/ITER_SUMMARY_{number}.json": summary(number) for number in range(count)}


def names(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir())


class TestWriting:
    def test_an_archive_appears_and_the_files_stay(self, root: Root, place: Path) -> None:
        files = summaries(300)
        artifacts = fill(root, files)
        result = write_archive(root, artifacts, NAME, level=3)
        made = entry(root, NAME)
        assert result == ArchiveResult(
            name=NAME,
            members=tuple(each.name for each in artifacts),
            left=(),
            original_bytes=sum(map(len, files.values())),
            compressed_bytes=made.size_bytes,
            sha256=result.sha256,
        )
        assert (made.mode, made.mtime_ns, made.kind) == (0o640, 10**18 + 7 * 299, FileKind.ARCHIVE)
        assert [each for each in listing(root) if each.kind is FileKind.REGULAR] == artifacts
        assert result.compressed_bytes < result.original_bytes / 2

    def test_members_say_name_size_mode_and_time(self, root: Root) -> None:
        artifacts = fill(root, summaries(3) | {"run/sub/empty.json": b""})
        write_archive(root, artifacts, NAME, level=3)
        assert list_archive(root, NAME) == [
            Member(each.name.removeprefix("run/"), each.size_bytes, 0o640, each.mtime_ns)
            for each in artifacts
        ]

    def test_the_archive_is_no_more_open_than_its_closest_member(self, root: Root) -> None:
        fill(root, {"run/a": b"a"}, mode=0o644)
        write_archive(root, fill(root, {"run/b": b"b"}, mode=0o4600), NAME, level=3)
        assert entry(root, NAME).mode == 0o600

    def test_the_same_files_give_the_same_bytes(self, root: Root) -> None:
        artifacts = fill(root, summaries(200))
        for name in (NAME, "run/again.tar.zst"):
            write_archive(root, artifacts, name, level=3)
        first, second = ((root.path / name).read_bytes() for name in (NAME, "run/again.tar.zst"))
        assert first == second

    @needs_tools
    def test_the_ordinary_tools_open_it(self, root: Root, place: Path, tmp_path: Path) -> None:
        noise = random.Random(1).randbytes(MEMBER_LIMIT_BYTES)
        files = (
            summaries(500) | {f"run/{os.fsdecode(name)}": name for name in ODD_NAMES} | {"run/noise": noise}
        )
        result = write_archive(root, fill(root, files), NAME, level=3)
        stream = subprocess.run(["zstd", "-dc", place / NAME], capture_output=True, check=True).stdout
        assert hashlib.sha256(stream).hexdigest() == result.sha256
        (tmp_path / "out").mkdir()
        run = subprocess.run(
            ["tar", "-x", "-p", "-C", tmp_path / "out"], input=stream, capture_output=True, check=True
        )
        assert run.stderr == b""
        found = {
            f"run/{path.relative_to(tmp_path / 'out')}": path
            for path in (tmp_path / "out").rglob("*")
            if path.is_file()
        }
        assert {name: path.read_bytes() for name, path in found.items()} == files
        for each in listing(root):
            status = found[each.name].stat()
            assert (status.st_mode & 0o7777, int(status.st_mtime)) == (0o640, each.mtime_ns // 10**9)

    def test_an_archive_of_the_root_itself_has_names_below_the_root(self, root: Root) -> None:
        write_archive(root, fill(root, summaries(2)), "all.tar.zst", level=3)
        assert [each.name for each in list_archive(root, "all.tar.zst")] == list(summaries(2))
        assert read_member(root, "all.tar.zst", "run/ITER_SUMMARY_1.json") == summary(1)

    def test_a_name_that_is_taken_is_not_replaced(self, root: Root, place: Path) -> None:
        artifacts = fill(root, summaries(3))
        (place / NAME).write_bytes(b"another's")
        with pytest.raises(NameTakenError):
            write_archive(root, artifacts, NAME, level=3)
        assert (place / NAME).read_bytes() == b"another's"
        assert names(place) == sorted([NAME, *summaries(3)])

    def test_r6_r7_r9_files_that_changed_are_left_out_and_reported(
        self, root: Root, place: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "canary").write_bytes(b"outside")
        artifacts = fill(root, summaries(6))
        grown, gone, linked, *_ = (place / each.name for each in artifacts)
        grown.write_bytes(b"longer" * 1000)
        gone.unlink()
        linked.unlink()
        linked.symlink_to(tmp_path / "canary")
        result = write_archive(root, artifacts, NAME, level=3)
        assert [name for name, _ in result.left] == [each.name for each in artifacts[:3]]
        assert "was written to" in result.left[0][1]
        assert result.members == tuple(each.name for each in artifacts[3:])
        contents = {member.name: data for member, data in read_members(root, NAME)}
        assert contents == {f"ITER_SUMMARY_{number}.json": summary(number) for number in (3, 4, 5)}
        assert (tmp_path / "canary").read_bytes() == b"outside"

    @pytest.mark.parametrize("change", ["grow", "shrink"])
    def test_r7_a_file_that_changes_while_it_is_read_is_left_out(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        artifacts = fill(root, summaries(3))
        fired: list[str] = []
        real_read = os.read

        def read(descriptor: int, size: int) -> bytes:
            if not fired:
                fired.append(change)
                os.truncate(place / artifacts[0].name, 10**5 if change == "grow" else 10)
            return real_read(descriptor, size)

        monkeypatch.setattr(os, "read", read)
        result = write_archive(root, artifacts, NAME, level=3)
        assert fired == [change]
        assert [name for name, _ in result.left] == [artifacts[0].name]

    def test_nothing_is_written_where_every_file_was_left_out(self, root: Root, place: Path) -> None:
        artifacts = fill(root, summaries(2))
        for each in artifacts:
            (place / each.name).unlink()
        result = write_archive(root, artifacts, NAME, level=3)
        assert (result.members, len(result.left)) == ((), 2)
        assert names(place) == []

    @pytest.mark.parametrize("call", ["write", "fsync", "link"])
    def test_r3_a_full_disk_leaves_the_files_and_nothing_else(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        artifacts = fill(root, summaries(3))
        fired = []

        def refuse(*given, **named):
            fired.append(call)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(ArtifactError, match="No space left"):
            write_archive(root, artifacts, NAME, level=3)
        monkeypatch.undo()
        assert fired
        assert names(place) == list(summaries(3))

    @pytest.mark.parametrize("at", ["frame", "index"])
    def test_what_is_read_back_wrong_is_not_committed(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        """The disk gives other content than was written: here, a whole and valid archive of something else."""
        artifacts = fill(root, summaries(3))
        members = [(Member(each.name.removeprefix("run/"), 4, 0o640, 0), b"else") for each in artifacts]
        real = archive_module._Writer.finish

        def finish(writer) -> Index:
            written = real(writer)
            other = crafted(members)
            if at == "frame":  # the index stays, one frame of the right length and checksum is another
                (piece,) = written.pieces
                stream = b"".join(tar_entry(m, b"?" * m.size_bytes) for m in piece.members) + bytes(1024)
                packed = compressor(3).compress(stream)
                other = packed + encode_index(Index((piece._replace(compressed_bytes=len(packed)),)), 3)
                written = Index((piece._replace(compressed_bytes=len(packed)),))
            os.ftruncate(writer._temporary.descriptor, 0)
            os.pwrite(writer._temporary.descriptor, other, 0)
            return written

        monkeypatch.setattr(archive_module._Writer, "finish", finish)
        with pytest.raises(DataError, match="written"):
            write_archive(root, artifacts, NAME, level=3)
        assert names(place) == list(summaries(3))

    def test_a_file_that_is_too_large_or_elsewhere_is_a_mistake(self, root: Root) -> None:
        artifacts = fill(root, {"run/large": bytes(MEMBER_LIMIT_BYTES + 1), "other/a": b"a"})
        for artifact, message in zip(reversed(artifacts), ("too large", "not lie below run"), strict=True):
            with pytest.raises(ValueError, match=message):
                write_archive(root, [artifact], NAME, level=3)


class TestReading:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(
        st.dictionaries(
            st.text(
                st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60
            ),
            st.binary(max_size=3000) | st.integers(0, 300_000).map(bytes),
            min_size=1,
        )
    )
    def test_every_byte_comes_back(self, tmp_path_factory: pytest.TempPathFactory, contents) -> None:
        place = tmp_path_factory.mktemp("random")
        with Root.open(place) as root:
            files = {
                f"run/{i}{name if name.strip('.') else ''}": data
                for i, (name, data) in enumerate(contents.items())
            }
            artifacts = fill(root, files)
            result = write_archive(root, artifacts, NAME, level=3)
            assert result.left == ()
            assert root.unlink_all(artifacts) == []
            assert {f"run/{m.name}": data for m, data in read_members(root, NAME)} == files
            for name, data in files.items():
                assert read_member(root, NAME, name.removeprefix("run/")) == data
            restored = restore_members(root, NAME)
            assert restored.restored == tuple(each.name for each in artifacts)
            # All but the inodes, which are new, and the blocks.
            kept = [(a.name, a.size_bytes, a.mtime_ns, a.mode) for a in artifacts]
            assert [(a.name, a.size_bytes, a.mtime_ns, a.mode) for a in listing(root)] == kept
            assert {a.name: (place / a.name).read_bytes() for a in listing(root)} == files

    def test_one_member_costs_one_frame(self, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
        write_archive(root, fill(root, summaries(1500)), NAME, level=3)
        decoded = []

        def decode(*given, **named):
            content = codec.decode(*given, **named)
            decoded.append(len(content))
            return content

        monkeypatch.setattr(archive_module, "decode", decode)
        assert read_member(root, NAME, "ITER_SUMMARY_700.json") == summary(700)
        assert decoded == [pytest.approx(PIECE_BYTES, rel=0.1)]

    def test_what_is_not_there_is_missing_input(self, root: Root) -> None:
        artifacts = fill(root, summaries(2))
        write_archive(root, artifacts, NAME, level=3)
        for name, member, error in (
            ("run/none.tar.zst", "x", MissingInputError),
            (NAME, "none.json", MissingInputError),
            (artifacts[0].name, "x", UsageError),
        ):
            with pytest.raises(error):
                read_member(root, name, member)
        with pytest.raises(MissingInputError, match=r"no none\.json"):
            restore_members(root, NAME, ["none.json"])

    def test_a_member_over_the_limit_is_refused(self, root: Root) -> None:
        write_archive(root, fill(root, {"run/a": bytes(1000)}), NAME, level=3)
        assert read_member(root, NAME, "a", limit_bytes=1000) == bytes(1000)
        with pytest.raises(DataError, match="longer than 999 bytes"):
            read_member(root, NAME, "a", limit_bytes=999)


class TestRestoring:
    def test_chosen_members_come_back_and_nothing_is_replaced(self, root: Root, place: Path) -> None:
        artifacts = fill(root, summaries(4) | {"run/sub/a.json": b"deep"})
        write_archive(root, artifacts, NAME, level=3)
        root.unlink_all(artifacts)
        (place / "run/sub").rmdir()
        (place / "run/ITER_SUMMARY_1.json").write_bytes(b"newer")
        result = restore_members(root, NAME, ["ITER_SUMMARY_1.json", "ITER_SUMMARY_2.json", "sub/a.json"])
        assert result.restored == ("run/ITER_SUMMARY_2.json", "run/sub/a.json")
        assert result.existing == ("run/ITER_SUMMARY_1.json",)
        assert (place / "run/ITER_SUMMARY_1.json").read_bytes() == b"newer"
        assert names(place) == sorted([NAME, "run/ITER_SUMMARY_1.json", *result.restored])

    def test_a_link_where_a_member_belongs_is_not_followed(
        self, root: Root, place: Path, tmp_path: Path
    ) -> None:
        artifacts = fill(root, {"run/sub/a.json": b"deep", "run/b.json": b"b"})
        write_archive(root, artifacts, NAME, level=3)
        root.unlink_all(artifacts)
        outside = tmp_path / "outside"
        outside.mkdir()
        (place / "run/sub").rmdir()
        (place / "run/sub").symlink_to(outside)
        (place / "run/b.json").symlink_to(tmp_path / "planted")
        assert restore_members(root, NAME, ["b.json"]).existing == ("run/b.json",)
        with pytest.raises(ArtifactError):
            restore_members(root, NAME, ["sub/a.json"])
        assert list(outside.iterdir()) == []
        assert not (tmp_path / "planted").exists()

    def test_more_than_the_limit_is_refused_before_anything_is_written(self, root: Root, place: Path) -> None:
        artifacts = fill(root, {"run/a": bytes(1000), "run/b": bytes(1000)})
        write_archive(root, artifacts, NAME, level=3)
        root.unlink_all(artifacts)
        with pytest.raises(DataError, match="holds 2000 bytes, more than the limit of 1999"):
            restore_members(root, NAME, limit_bytes=1999)
        assert names(place) == [NAME]
        assert restore_members(root, NAME, limit_bytes=2000).restored == ("run/a", "run/b")

    @pytest.mark.slow
    @needs_tools
    def test_ten_thousand_files_come_back_by_us_and_by_the_ordinary_tools(
        self, root: Root, place: Path, tmp_path: Path
    ) -> None:
        files = summaries(10_000)
        artifacts = fill(root, files)
        allocated_bytes = sum(each.allocated_bytes for each in artifacts)
        write_archive(root, artifacts, NAME, level=3)
        assert root.unlink_all(artifacts) == []
        assert entry(root, NAME).allocated_bytes * 7 <= allocated_bytes
        assert len(restore_members(root, NAME).restored) == 10_000
        assert {each.name: (place / each.name).read_bytes() for each in listing(root)} == files
        (tmp_path / "out").mkdir()
        with subprocess.Popen(["zstd", "-dc", place / NAME], stdout=subprocess.PIPE) as stream:
            subprocess.run(["tar", "-x", "-C", tmp_path / "out"], stdin=stream.stdout, check=True)
        assert {f"run/{path.name}": path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


def crafted(members: list[tuple[Member, bytes]], stream: bytes | None = None, **changes) -> bytes:
    """Return an archive of one frame, whose tar stream may be another than its index says."""
    if stream is None:
        stream = b"".join(tar_entry(member, data) for member, data in members) + bytes(1024)
    packed = compressor(3).compress(stream)
    piece = Piece(0, len(packed), hashlib.sha256(stream).hexdigest(), tuple(member for member, _ in members))
    return packed + encode_index(Index((piece._replace(**changes),)), 3)


GOOD = Member("a.json", 5, 0o644, 0)
AS_LINK = tar_header(GOOD)[:156] + b"2../../../etc/passwd".ljust(101, b"\0") + tar_header(GOOD)[257:]
HOSTILE = {
    "member ..": crafted([(GOOD._replace(name="../../canary"), b"evil\n")]),
    "member that climbs": crafted([(GOOD._replace(name="x/../../../canary"), b"evil\n")]),
    "absolute member": crafted([(GOOD._replace(name="/tmp/canary"), b"evil\n")]),
    "duplicate member": crafted([(GOOD, b"one  "), (GOOD, b"two  ")]),
    "set-user-id member": crafted([(GOOD._replace(mode=0o4755), b"evil\n")]),
    "link in the tar stream": crafted([(GOOD, b"")], AS_LINK + b"evil\n".ljust(512, b"\0") + bytes(1024)),
    "other name in the tar stream": crafted(
        [(GOOD, b"")], tar_entry(GOOD._replace(name="../x.json"), b"evil\n") + bytes(1024)
    ),
    "more members in the tar stream": crafted(
        [(GOOD, b"")],
        tar_entry(GOOD, b"evil\n") + tar_entry(GOOD._replace(name="b"), b"evil\n") + bytes(1024),
    ),
    "less in the tar stream": crafted([(GOOD, b"")], tar_entry(GOOD, b"evil\n")),
    "no end of the tar stream": crafted([(GOOD, b"")], tar_entry(GOOD, b"evil\n") + b"x" * 1024),
    "other content than was written": crafted([(GOOD, b"evil\n")], sha256="0" * 64),
    "frame shorter than its index says": crafted([(GOOD, b"evil\n")], compressed_bytes=20),
    "bomb": crafted([(GOOD, b"")], bytes(1 << 28)),
    "huge claim": crafted([(Member(str(n), MEMBER_LIMIT_BYTES, 0o644, 0), b"") for n in range(9)]),
    "no index": compressor(3).compress(tar_entry(GOOD, b"evil\n") + bytes(1024)),
    "truncated": crafted([(GOOD, b"evil\n")])[:-30],
    "truncated in front": crafted([(GOOD, b"evil\n")])[10:],
    "garbage behind": crafted([(GOOD, b"evil\n")]) + b"garbage",
    "empty": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_r10_t6_t8_a_hostile_archive_is_refused_and_nothing_is_written(
    root: Root, place: Path, tmp_path: Path, data: bytes
) -> None:
    canary = tmp_path / "canary"
    canary.write_bytes(b"outside")
    assert len(data) < 50_000
    (place / NAME).write_bytes(data)
    for step in (
        lambda: list(read_members(root, NAME)),
        lambda: restore_members(root, NAME),
        lambda: read_member(root, NAME, list_archive(root, NAME)[0].name),
    ):
        with pytest.raises(DataError, match=r"bundle\.tar\.zst is damaged") as caught:
            step()
        assert caught.value.exit_code == ExitCode.BAD_DATA
    assert names(place) == [NAME]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "root"]
    assert canary.read_bytes() == b"outside"


RESTORING = """
import resource, sys
from pytest_causal.cli.main import causal
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
for name in sys.argv[2:]:
    try:
        causal.main(["rotate", "restore", name, "--root", sys.argv[1]])
    except SystemExit as request:
        print(request.code)
"""


def test_r10_t8_the_command_refuses_hostile_archives_with_65_in_half_a_gigabyte(
    place: Path, tmp_path: Path
) -> None:
    zeros = compressor(3).compressobj(size=40 << 30)
    frame_bomb = b"".join(zeros.compress(bytes(1 << 20)) for _ in range(16)) + b"\x01\0\0" + bytes(4)
    cases = {f"{number}.tar.zst": data for number, data in enumerate(HOSTILE.values())}
    cases |= {"bomb.zst": frame_bomb, "cut.zst": compressor(3).compress(bytes(9_000_000))[:-5]}
    for name, data in cases.items():
        (place / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", RESTORING, place, *cases],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["65"] * len(cases)
    assert done.stderr.count("\n") == len(cases)
    assert {path.name for path in place.iterdir()} - {"run", "rotation"} == set(cases)


def test_the_crafted_archives_are_hostile_by_one_thing_only(root: Root, place: Path) -> None:
    (place / NAME).write_bytes(crafted([(GOOD, b"evil\n")]))
    assert list(read_members(root, NAME)) == [(GOOD, b"evil\n")]
