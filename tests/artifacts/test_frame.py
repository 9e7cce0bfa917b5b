from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_causal.artifacts import frame
from pytest_causal.artifacts.codec import compressor
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import (
    FrameResult,
    Workspace,
    compress_file,
    hash_file,
    read_frame,
    restore_file,
    verify_frame,
)
from pytest_causal.errors import (
    ArtifactError,
    ChangedError,
    DataError,
    ExitCode,
    MissingInputError,
    NameTakenError,
    UsageError,
)
from pytest_causal.model.artifact import Artifact

TEXT = b"".join(b'{"iteration": %d}\n' % number for number in range(100_000))
NOISE = random.Random(5).randbytes(100_000)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "root" / "run").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def root(place: Path) -> Iterator[Root]:
    with Root.open(place) as opened:
        yield opened


def put(
    root: Root, name: str, content: bytes = TEXT, *, mode: int = 0o640, mtime_ns: int = 10**18 + 7
) -> Artifact:
    path = root.path / name
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return entry(root, name)


def entry(root: Root, name: str) -> Artifact:
    found = root.look_up(name)
    assert found is not None
    return found


def put_frame(root: Root, name: str, data: bytes) -> None:
    (root.path / name).write_bytes(data)


def compressed(content: bytes = TEXT) -> bytes:
    return compressor(3).compress(content)


def names(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir())


@pytest.fixture(params=["whole", "in blocks"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compress a file of any size by one call, and then as a stream."""
    monkeypatch.setattr(frame, "WHOLE_BYTES", 1 << 30 if request.param == "whole" else -1)


class TestCompressing:
    @pytest.mark.usefixtures("each_way")
    @pytest.mark.parametrize("threads", [0, 2])
    def test_a_frame_appears_beside_the_original_with_its_mode_and_time(
        self, root: Root, place: Path, threads: int
    ) -> None:
        artifact = put(root, "run/events.jsonl")
        result = compress_file(root, artifact, level=3, threads=threads)
        made = entry(root, "run/events.jsonl.zst")
        assert result == FrameResult(
            name="run/events.jsonl.zst",
            original_bytes=len(TEXT),
            compressed_bytes=made.size_bytes,
        )
        assert (made.mode, made.mtime_ns, made.links) == (0o640, 10**18 + 7, 1)
        assert entry(root, "run/events.jsonl") == artifact
        assert names(place) == ["run/events.jsonl", "run/events.jsonl.zst"]

    @pytest.mark.usefixtures("each_way")
    @pytest.mark.skipif(
        not shutil.which("zstd") and "CI" not in os.environ,
        reason="the zstd tool is not installed (where CI is set this would fail instead)",
    )
    def test_the_ordinary_tool_opens_it_and_finds_size_and_checksum(self, root: Root, place: Path) -> None:
        compress_file(root, put(root, "run/a.jsonl"), level=3)
        made = place / "run" / "a.jsonl.zst"
        listed = subprocess.run(["zstd", "-lv", made], capture_output=True, text=True, check=True).stdout
        assert f"({len(TEXT)} B)" in listed
        assert "Check: XXH64" in listed
        assert subprocess.run(["zstd", "-dc", made], capture_output=True, check=True).stdout == TEXT

    @pytest.mark.usefixtures("each_way")
    @pytest.mark.parametrize("content", [b"", b"a", NOISE], ids=["r14 empty", "one byte", "noise"])
    def test_r14_what_does_not_get_smaller_is_left_alone(
        self, root: Root, place: Path, content: bytes
    ) -> None:
        assert compress_file(root, put(root, "run/a", content), level=3) is None
        assert names(place) == ["run/a"]

    def test_r14_a_sparse_file_comes_back_sparse(self, root: Root, place: Path) -> None:
        size_bytes = 64 << 20
        with (place / "run" / "a").open("wb") as file:
            file.write(b"begin")
            file.seek(size_bytes // 2)
            file.write(b"middle")
            file.truncate(size_bytes)
        expected = hash_file(root, entry(root, "run/a"))
        assert compress_file(root, entry(root, "run/a"), level=3) is not None
        root.unlink(entry(root, "run/a"))
        assert restore_file(root, "run/a.zst").original_bytes == size_bytes
        made = entry(root, "run/a")
        assert hash_file(root, made) == expected
        assert made.size_bytes == size_bytes
        assert made.allocated_bytes < size_bytes // 8

    def test_a_frame_that_is_there_is_not_replaced(self, root: Root, place: Path) -> None:
        artifact = put(root, "run/a")
        put_frame(root, "run/a.zst", b"another's")
        with pytest.raises(NameTakenError):
            compress_file(root, artifact, level=3)
        assert names(place) == ["run/a", "run/a.zst"]
        assert (place / "run" / "a.zst").read_bytes() == b"another's"

    @pytest.mark.usefixtures("each_way")
    @pytest.mark.parametrize("when", ["before", "while"])
    @pytest.mark.parametrize("change", ["grow", "shrink", "rewrite", "replace", "link"])
    def test_r7_r9_a_file_that_changes_is_left_and_nothing_is_written(
        self, root: Root, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, change: str
    ) -> None:
        canary = tmp_path / "canary"
        canary.write_bytes(TEXT)
        artifact = put(root, "run/a")
        path = place / "run" / "a"
        fired = []

        def alter() -> None:
            if change == "link":
                path.unlink()
                path.symlink_to(canary)
            elif change == "replace":
                other = put(root, "run/b")
                assert (other.size_bytes, other.mtime_ns) == (artifact.size_bytes, artifact.mtime_ns)
                os.replace(place / "run" / "b", path)
            else:
                path.write_bytes({"grow": TEXT + b"x", "shrink": TEXT[:-1], "rewrite": TEXT[::-1]}[change])
            fired.append(change)

        if when == "before":
            alter()
        else:
            real_readv = os.readv

            def readv(descriptor, buffers):
                if not fired:
                    alter()
                return real_readv(descriptor, buffers)

            monkeypatch.setattr(os, "readv", readv)
        with pytest.raises(ChangedError, match="run/a "):
            compress_file(root, artifact, level=3)
        assert fired == [change]
        assert names(place) == ["run/a"]
        assert canary.read_bytes() == TEXT

    @pytest.mark.usefixtures("each_way")
    def test_files_that_follow_one_another_in_a_workspace_are_told_apart(
        self, root: Root, place: Path
    ) -> None:
        contents = {"run/large": TEXT * 3, "run/small": TEXT[:5000], "run/larger": TEXT[::-1] * 4}
        workspace = Workspace()
        for name, content in contents.items():
            assert compress_file(root, put(root, name, content), level=3, workspace=workspace)
        for name, content in contents.items():
            assert b"".join(read_frame(root, f"{name}.zst")) == content

    def test_a_workspace_goes_on_after_a_file_that_was_refused(self, root: Root, place: Path) -> None:
        workspace = Workspace()
        gone = put(root, "run/gone", TEXT * 2)
        (place / "run/gone").write_bytes(TEXT)
        with pytest.raises(ChangedError):
            compress_file(root, gone, level=3, workspace=workspace)
        assert compress_file(root, put(root, "run/a"), level=3, workspace=workspace)
        assert b"".join(read_frame(root, "run/a.zst")) == TEXT

    def test_each_thread_has_a_workspace_of_its_own(self) -> None:
        """Were the memory shared, one thread would read a file over that which another compresses."""
        workspace = Workspace()
        with ThreadPoolExecutor(1) as other:
            theirs = other.submit(workspace.content, 3).result()
            theirs[:] = b"abc"
            workspace.content(3)[:] = b"xyz"
            assert bytes(theirs) == b"abc"
            assert other.submit(workspace.decompressor).result() is not workspace.decompressor()

    def test_what_is_read_back_wrong_is_not_committed(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The disk gives other content than was written: here, a whole and valid frame of something else."""
        real = frame.write_frame

        def written_wrong(root, artifact, temporary, **options):
            result = real(root, artifact, temporary, **options)
            os.ftruncate(temporary.descriptor, 0)
            os.pwrite(temporary.descriptor, compressed(TEXT[::-1]), 0)
            return result

        workspace = Workspace()
        monkeypatch.setattr(frame, "write_frame", written_wrong)
        with pytest.raises(ArtifactError, match="was not read back as it was written"):
            compress_file(root, put(root, "run/a"), level=3, workspace=workspace)
        assert names(place) == ["run/a"]
        monkeypatch.setattr(frame, "write_frame", real)
        assert compress_file(root, entry(root, "run/a"), level=3, workspace=workspace)
        assert b"".join(read_frame(root, "run/a.zst")) == TEXT

    @pytest.mark.parametrize("call", ["write", "fsync", "link", "fchmod"])
    def test_r3_a_full_disk_leaves_the_original_and_nothing_else(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        artifact = put(root, "run/a")
        fired = []

        def refuse(*given, **named):
            fired.append(call)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(ArtifactError, match="No space left on device") as caught:
            compress_file(root, artifact, level=3)
        monkeypatch.undo()
        assert fired
        assert isinstance(caught.value.__cause__, OSError)
        assert names(place) == ["run/a"]
        assert compress_file(root, artifact, level=3) is not None

    def test_a_name_without_room_for_the_suffix_is_left(self, root: Root, place: Path) -> None:
        name = "run/" + "n" * 252
        with pytest.raises(ArtifactError, match="File name too long"):
            compress_file(root, put(root, name), level=3)
        assert names(place) == [name]

    @pytest.mark.parametrize("name", [b"run/\xff.jsonl", b"run/new\nline", b"run/\x1b[31m", b"run/-rf"])
    def test_r11_odd_names_are_kept(self, root: Root, place: Path, name: bytes) -> None:
        artifact = put(root, os.fsdecode(name))
        assert compress_file(root, artifact, level=3) is not None
        root.unlink(artifact)
        restore_file(root, artifact.name + ".zst")
        assert (place / artifact.name).read_bytes() == TEXT


HOSTILE = {
    "empty": b"",
    "text": b"{}\n",
    "cut in the header": compressed()[:5],
    "cut in a block": compressed()[: len(compressed()) // 2],
    "cut before the checksum": compressed()[:-4],
    "cut in the checksum": compressed()[:-1],
    "a byte after it": compressed() + b"\0",
    "a frame after it": compressed() + compressed(b"more"),
    "a flipped bit": compressed(NOISE)[:5000] + b"\0\1" + compressed(NOISE)[5002:],
    "a skippable frame": b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
    "a reserved block": compressed(b"abc")[:-10] + b"\x07\0\0" + bytes(4),
}


class TestReading:
    def test_a_frame_is_verified_read_and_restored(self, root: Root, place: Path) -> None:
        artifact = put(root, "run/a")
        written = compress_file(root, artifact, level=3)
        assert written is not None
        root.unlink(artifact)
        assert verify_frame(root, "run/a.zst") == (*written, hashlib.sha256(TEXT).hexdigest())
        assert b"".join(read_frame(root, "run/a.zst")) == TEXT
        assert restore_file(root, "run/a.zst") == written._replace(name="run/a")
        made = entry(root, "run/a")
        assert (made.mode, made.mtime_ns) == (artifact.mode, artifact.mtime_ns)
        assert (place / "run" / "a").read_bytes() == TEXT
        assert names(place) == ["run/a", "run/a.zst"]

    def test_an_empty_file_that_somebody_compressed_is_restored(self, root: Root, place: Path) -> None:
        put_frame(root, "run/a.zst", compressed(b""))
        assert list(read_frame(root, "run/a.zst")) == []
        restore_file(root, "run/a.zst")
        assert (place / "run" / "a").read_bytes() == b""

    def test_a_restored_file_replaces_nothing(self, root: Root, place: Path) -> None:
        put(root, "run/a", b"newer")
        put_frame(root, "run/a.zst", compressed())
        with pytest.raises(NameTakenError):
            restore_file(root, "run/a.zst")
        assert (place / "run" / "a").read_bytes() == b"newer"
        assert names(place) == ["run/a", "run/a.zst"]

    @pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
    def test_r10_a_damaged_frame_is_refused_and_nothing_is_written(
        self, root: Root, place: Path, data: bytes
    ) -> None:
        put_frame(root, "run/a.zst", data)
        for step in (verify_frame, restore_file, lambda *where: list(read_frame(*where))):
            with pytest.raises(DataError, match=r"run/a\.zst is damaged") as caught:
                step(root, "run/a.zst")
            assert caught.value.exit_code == ExitCode.BAD_DATA
        assert names(place) == ["run/a.zst"]

    def test_r10_a_bomb_is_refused_by_what_it_promises(self, root: Root, place: Path) -> None:
        put_frame(root, "run/a.zst", compressed(bytes(1 << 20)))
        assert entry(root, "run/a.zst").size_bytes < 200
        for step in (verify_frame, restore_file, lambda *where, **limit: list(read_frame(*where, **limit))):
            with pytest.raises(DataError, match="more than the limit of 1048575"):
                step(root, "run/a.zst", limit_bytes=(1 << 20) - 1)
        assert names(place) == ["run/a.zst"]
        assert verify_frame(root, "run/a.zst", limit_bytes=1 << 20).original_bytes == 1 << 20

    def test_r10_a_frame_that_promises_more_than_is_free_is_not_restored(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_frame(root, "run/a.zst", compressed())
        monkeypatch.setattr(Root, "free_bytes", lambda self: len(TEXT) - 1)
        with pytest.raises(ArtifactError, match="are free"):
            restore_file(root, "run/a.zst")
        assert names(place) == ["run/a.zst"]

    def test_a_name_that_is_no_frame_is_told_apart_from_a_damaged_one(self, root: Root) -> None:
        put(root, "run/a.json")
        put(root, "run/b.tar.zst")
        for name, error in (
            ("run/none.zst", MissingInputError),
            ("run/a.json", UsageError),
            ("run/b.tar.zst", UsageError),
            ("../root/run/a.json", UsageError),
        ):
            with pytest.raises(error):
                verify_frame(root, name)

    def test_r6_a_link_with_the_name_of_a_frame_is_not_followed(self, root: Root, tmp_path: Path) -> None:
        (tmp_path / "outside.zst").write_bytes(compressed(b"secret"))
        (root.path / "run" / "a.zst").symlink_to(tmp_path / "outside.zst")
        with pytest.raises(UsageError):
            list(read_frame(root, "run/a.zst"))


@pytest.mark.slow
def test_r14_a_file_of_five_gigabytes_takes_constant_memory(tmp_path: Path) -> None:
    program = """
import sys
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.frame import compress_file
with Root.open(sys.argv[1]) as root:
    (artifact,) = root.list()
    compress_file(root, artifact, level=1)
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(peak.split()[1])
"""
    peaks_kib = []
    for size_bytes in (50_000_000, 5_000_000_000):
        place = tmp_path / str(size_bytes)
        place.mkdir()
        with (place / "a").open("wb") as file:
            file.truncate(size_bytes)
        run = subprocess.run(
            [sys.executable, "-c", program, place], capture_output=True, text=True, check=True
        )
        peaks_kib.append(int(run.stdout))
        assert (place / "a.zst").stat().st_size < size_bytes / 1000
    assert peaks_kib[1] < peaks_kib[0] + 8 * 1024
    assert peaks_kib[1] < 64 * 1024
