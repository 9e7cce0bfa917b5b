from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_causal.artifacts.directory import Root, is_inside
from pytest_causal.artifacts.temporary import is_temporary
from pytest_causal.errors import (
    ArtifactError,
    ChangedError,
    MissingInputError,
    NameTakenError,
    UsageError,
)
from pytest_causal.model.artifact import Artifact, FileKind

ODD_NAMES = [
    b"new\nline.json",
    b"esc\x1b[2J.json",
    b"\xff\xfe.json",
    b"-rf",
    b"a'b\"c $(x).json",
    "ü\u202e.json".encode(),
    b"back\\slash",
    b"n" * 255,
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def root(place: Path) -> Iterator[Root]:
    with Root.open(place) as opened:
        yield opened


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file outside the root that nothing may touch."""
    path = tmp_path / "canary.json"
    path.write_bytes(b"outside")
    return path


def listed(root: Root, name: str) -> Artifact:
    (found,) = [each for each in root.list() if each.name == name]
    return found


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class TestOpening:
    def test_a_missing_root_is_missing_input(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match="no directory"):
            Root.open(tmp_path / "none")

    def test_a_file_is_no_root(self, canary: Path) -> None:
        with pytest.raises(MissingInputError):
            Root.open(canary)

    @pytest.mark.parametrize("tail", ["", "/", "/."])
    def test_a_link_is_no_root(self, place: Path, tmp_path: Path, tail: str) -> None:
        (tmp_path / "link").symlink_to(place)
        with pytest.raises(UsageError, match="is a link"):
            Root.open(f"{tmp_path / 'link'}{tail}")


class TestListing:
    def test_every_kind_is_told_from_the_others(self, root: Root, place: Path, canary: Path) -> None:
        (place / "folder").mkdir()
        for name in ("a.json", "folder/b.json.zst", "folder/c.tar.zst"):
            (place / name).write_bytes(b"12345")
        (place / "link.zst").symlink_to(canary)
        (place / "folder.zst").mkdir()
        os.mkfifo(place / "fifo.json")
        with socket.socket(socket.AF_UNIX) as server:
            # The address of a socket may be 107 bytes long, so it is bound by a short one.
            descriptor = os.open(place, os.O_RDONLY)
            server.bind(f"/proc/self/fd/{descriptor}/socket")
            os.close(descriptor)
            kinds = {each.name: each.kind for each in root.list()}
        assert kinds == {
            "a.json": FileKind.REGULAR,
            "folder": FileKind.DIRECTORY,
            "folder/b.json.zst": FileKind.FRAME,
            "folder/c.tar.zst": FileKind.ARCHIVE,
            "link.zst": FileKind.SYMLINK,
            "folder.zst": FileKind.DIRECTORY,
            "fifo.json": FileKind.FIFO,
            "socket": FileKind.OTHER,
        }

    def test_an_entry_says_what_stat_says(self, root: Root, place: Path) -> None:
        path = place / "a.json"
        path.write_bytes(b"x" * 5000)
        path.chmod(0o4640)
        os.utime(path, ns=(1, 1_234_567_890_123_456_789))
        os.link(path, place / "b.json")
        status = path.stat()
        assert listed(root, "a.json") == Artifact(
            name="a.json",
            size_bytes=5000,
            allocated_bytes=status.st_blocks * 512,
            mtime_ns=1_234_567_890_123_456_789,
            mode=0o4640,
            inode=status.st_ino,
            device=status.st_dev,
            links=2,
            uid=os.getuid(),
            kind=FileKind.REGULAR,
        )

    def test_a_folder_that_is_not_to_be_entered_is_listed_without_what_is_in_it(
        self, root: Root, place: Path
    ) -> None:
        for folder in ("ours", "a/ours", "ours2"):
            (place / folder).mkdir(parents=True)
            (place / folder / "file").touch()
        assert {each.name for each in root.list(unentered="ours")} == {
            "a",
            "a/ours",
            "a/ours/file",
            "ours",
            "ours2",
            "ours2/file",
        }

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names_lead_back_to_their_files(self, root: Root, place: Path, name: bytes) -> None:
        Path(os.fsdecode(bytes(place) + b"/" + name)).write_bytes(name)
        (found,) = root.list()
        assert os.fsencode(found.name) == name
        descriptor = root.open_read(found)
        assert os.read(descriptor, 300) == name
        os.close(descriptor)
        root.unlink(found)
        assert root.list() == []

    def test_a_link_to_a_folder_is_not_entered(self, root: Root, place: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a.json").touch()
        (place / "link").symlink_to(tmp_path / "elsewhere")
        assert [each.name for each in root.list()] == ["link"]

    def test_a_deep_tree_needs_few_descriptors(self, root: Root, place: Path) -> None:
        held = os.open(place, os.O_RDONLY)
        for _ in range(600):  # longer than any path may be
            os.mkdir("folder", dir_fd=held)
            below = os.open("folder", os.O_RDONLY, dir_fd=held)
            os.close(held)
            held = below
        os.close(held)
        before = open_descriptors()
        assert len(root.list()) == 600
        assert open_descriptors() == before

    def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_listed(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("closed", "open"):
            (place / name).mkdir()
            (place / name / "a.json").touch()
        real_open, told = os.open, []

        def refusing(path, flags, mode=0o777, *, dir_fd=None):
            if path == "closed":
                raise PermissionError(13, "Permission denied")
            return real_open(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", refusing)
        names = {each.name for each in root.list(lambda *problem: told.append(problem))}
        assert names == {"closed", "open", "open/a.json"}
        assert [(name, type(error)) for name, error in told] == [("closed", PermissionError)]
        with pytest.raises(ArtifactError, match="cannot list closed: Permission denied"):
            root.list()


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["", "/etc/passwd", "..", "../canary.json", "a/../../canary.json", "a//b", "./a", "a/", "a\0b"],
    )
    def test_a_name_that_may_leave_the_root_is_refused(self, root: Root, name: str) -> None:
        assert not is_inside(name)
        for method in (root.look_up, root.make_folder):
            with pytest.raises(UsageError, match="not a name below the root"):
                method(name)
        with pytest.raises(UsageError):
            root.open_own(name, os.O_RDONLY)

    @pytest.mark.parametrize("name", ["a", "...", "a/..b/c", "-rf", "\udcff", " ", "a\\..\\b"])
    def test_other_names_are_inside(self, name: str) -> None:
        assert is_inside(name)

    def test_a_folder_that_is_a_link_leads_nowhere(self, root: Root, place: Path, canary: Path) -> None:
        (place / "link").symlink_to(canary.parent)
        assert (place / "link" / canary.name).exists()
        assert root.look_up(f"link/{canary.name}") is None
        for change in (
            lambda: root.create_temporary("link"),
            lambda: root.make_folder("link/new"),
            lambda: root.open_own("link/new", os.O_CREAT | os.O_RDWR),
            lambda: root.sync_folder("link"),
        ):
            with pytest.raises(ArtifactError):
                change()
        assert sorted(each.name for each in canary.parent.iterdir()) == ["canary.json", "root"]


CHANGES = {
    "grown": "was written to",
    "rewritten": "was written to",
    "replaced": "was replaced by another file",
    "linked": "another owner or number of links",
    "gone": "is gone",
    "folder gone": "is gone",
    "symlink": "was replaced",
    "fifo": "was replaced|no regular file",
    "directory": "was replaced|no regular file",
}


def make_change(change: str, path: Path, canary: Path) -> None:
    match change:
        case "grown":
            path.write_bytes(path.read_bytes() + b"more")
        case "rewritten":
            path.write_bytes(b"CONTENT")
        case "replaced":
            os.replace(twin(path), path)
        case "linked":
            os.link(path, path.with_name("b"))
        case "folder gone":
            path.parent.rename(canary.parent / "moved")
        case _:
            path.unlink()
            {
                "gone": lambda: None,
                "symlink": lambda: path.symlink_to(canary),
                "fifo": lambda: os.mkfifo(path),
                "directory": path.mkdir,
            }[change]()


def twin(path: Path) -> Path:
    """Return another file with the same content and time."""
    other = path.with_name("twin")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
    return other


class TestIdentity:
    @pytest.fixture
    def artifact(self, root: Root, place: Path) -> Artifact:
        (place / "folder").mkdir()
        (place / "folder" / "a.json").write_bytes(b"content")
        os.utime(place / "folder" / "a.json", ns=(10**18, 10**18))
        return listed(root, "folder/a.json")

    @pytest.mark.parametrize(("change", "message"), CHANGES.items())
    def test_r6_r7_r9_a_file_that_changed_since_listing_is_not_read_and_not_removed(
        self, root: Root, place: Path, artifact: Artifact, canary: Path, change: str, message: str
    ) -> None:
        before = open_descriptors()
        make_change(change, place / "folder" / "a.json", canary)
        there = sorted(os.listdir(place / "folder")) if (place / "folder").exists() else None
        for step in (root.open_read, root.unlink, root.check):
            with pytest.raises(ChangedError, match=message if step is not root.open_read else ""):
                step(artifact)
        ((left, error),) = root.unlink_all([artifact])
        assert left == artifact
        assert isinstance(error, ChangedError)
        assert (sorted(os.listdir(place / "folder")) if (place / "folder").exists() else None) == there
        assert canary.read_bytes() == b"outside"
        assert open_descriptors() == before

    def test_r9_a_folder_that_becomes_a_link_between_listing_and_opening_is_not_followed(
        self, root: Root, place: Path, artifact: Artifact, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        (place / "folder").rename(outside)
        (place / "folder").symlink_to(outside)
        # The race was lost: by its path the name leads to the very inode of the listing, outside of the root.
        assert (place / "folder" / "a.json").stat().st_ino == artifact.inode
        for step in (root.open_read, root.unlink):
            with pytest.raises(ChangedError):
                step(artifact)
        assert (outside / "a.json").read_bytes() == b"content"

    def test_r9_a_file_that_is_swapped_all_the_time_is_never_read_through_the_link(
        self, root: Root, place: Path, artifact: Artifact, canary: Path
    ) -> None:
        path, kept, link = (place / name for name in ("folder/a.json", "kept", "link"))
        os.link(path, kept)
        link.symlink_to(canary)
        artifact = listed(root, "folder/a.json")
        stop, swaps = threading.Event(), 0

        def swap() -> None:
            nonlocal swaps
            while not stop.is_set():
                for source in (link, kept):
                    name = path.with_name("next")
                    os.link(source, name, follow_symlinks=False)
                    os.replace(name, path)
                    if name.exists():  # rename(2) does nothing between two names of one file
                        name.unlink()
                    swaps += 1

        swapper = threading.Thread(target=swap)
        swapper.start()
        outcomes = {"read": 0, "refused": 0}
        try:
            while min(*outcomes.values(), swaps) < 50:
                try:
                    descriptor = root.open_read(artifact)
                except ChangedError:
                    outcomes["refused"] += 1
                else:
                    outcomes["read"] += 1
                    assert os.read(descriptor, 100) == b"content"
                    os.close(descriptor)
        finally:
            stop.set()
            swapper.join()
        assert canary.read_bytes() == b"outside"

    def test_an_unchanged_file_is_read_and_removed(self, root: Root, place: Path, artifact: Artifact) -> None:
        root.check(artifact)
        descriptor = root.open_read(artifact)
        assert os.read(descriptor, 100) == b"content"
        os.close(descriptor)
        root.unlink(artifact)
        assert os.listdir(place / "folder") == []

    def test_r6_a_fifo_or_directory_named_like_an_artifact_is_neither_opened_nor_removed(
        self, root: Root, place: Path
    ) -> None:
        os.mkfifo(place / "a.json")
        (place / "b.json").mkdir()
        for name in ("a.json", "b.json"):
            with pytest.raises(ChangedError, match="no regular file"):
                root.open_read(listed(root, name))
        with pytest.raises(ArtifactError, match=r"cannot remove b\.json"):
            root.unlink(listed(root, "b.json"))

    def test_many_files_of_several_folders_are_removed_and_failures_are_named(
        self, root: Root, place: Path
    ) -> None:
        for folder in ("x", "y", "y/z"):
            (place / folder).mkdir()
            for number in range(300):
                (place / folder / f"{number}.json").touch()
        files = [each for each in root.list() if each.kind is FileKind.REGULAR]
        changed = [place / "x" / "7.json", place / "y" / "z" / "299.json"]
        for path in changed:
            path.write_bytes(b"new")
        left = root.unlink_all(files)
        assert sorted(each.name for each, _ in left) == ["x/7.json", "y/z/299.json"]
        assert sorted(path for path in place.rglob("*.json")) == changed


class TestCommit:
    def test_a_temporary_file_gets_its_name_permissions_and_time(self, root: Root, place: Path) -> None:
        with root.create_temporary() as temporary:
            (stray,) = place.iterdir()
            assert is_temporary(stray.name)
            assert stat.S_IMODE(stray.stat().st_mode) == 0o600
            temporary.write(b"con")
            temporary.write(memoryview(b"tent"))
            root.commit(temporary, "a.json", mode=0o4664, mtime_ns=-1_000_000_001)
        (path,) = place.iterdir()
        assert (path.name, path.read_bytes()) == ("a.json", b"content")
        # A set-user-id bit is not carried over.
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
        assert (path.stat().st_mtime_ns, path.stat().st_nlink) == (-1_000_000_001, 1)

    @pytest.mark.parametrize("taken_by", ["file", "link", "dangling", "folder"])
    def test_a_name_that_is_taken_is_not_replaced(
        self, root: Root, place: Path, canary: Path, taken_by: str
    ) -> None:
        path = place / "a.json"
        {
            "file": lambda: path.write_bytes(b"first"),
            "link": lambda: path.symlink_to(canary),
            "dangling": lambda: path.symlink_to("nowhere"),
            "folder": path.mkdir,
        }[taken_by]()
        before = path.lstat()
        with root.create_temporary() as temporary, pytest.raises(NameTakenError, match=r"a\.json is there"):
            root.commit(temporary, "a.json", mode=0o600, mtime_ns=0)
        assert list(place.iterdir()) == [path]
        assert path.lstat() == before
        assert canary.read_bytes() == b"outside"

    def test_what_is_not_committed_leaves_nothing(self, root: Root, place: Path) -> None:
        before = open_descriptors()
        with root.create_temporary() as temporary:
            temporary.write(b"half")
            assert len(list(place.iterdir())) == 1
        assert list(place.iterdir()) == []
        assert open_descriptors() == before

    def test_the_content_is_synced_before_the_name_appears_and_the_folder_after(
        self, root: Root, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order, real_sync, real_link = [], os.fsync, os.link

        def sync(descriptor: int) -> None:
            order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            real_sync(descriptor)

        def link(*names, **where) -> None:
            order.append("link")
            real_link(*names, **where)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(os, "link", link)
        with root.create_temporary() as temporary:
            root.commit(temporary, "a.json", mode=0o600, mtime_ns=0)
        assert order == ["file", "link", "folder"]

    def test_zeros_become_a_hole(self, root: Root, place: Path) -> None:
        with root.create_temporary() as temporary:
            temporary.write(b"a")
            temporary.write_zeros(1 << 20)
            temporary.write(b"b")
            temporary.write_zeros(1 << 20)
            root.commit(temporary, "a", mode=0o600, mtime_ns=0)
        assert (place / "a").read_bytes() == b"a" + bytes(1 << 20) + b"b" + bytes(1 << 20)
        assert (place / "a").stat().st_blocks * 512 < 1 << 20

    def test_a_final_name_in_another_folder_is_a_mistake(self, root: Root) -> None:
        root.make_folder("x/y")
        with root.create_temporary("x") as temporary, pytest.raises(ValueError, match="does not lie in x"):
            root.commit(temporary, "x/y/a", mode=0o600, mtime_ns=0)


class TestSettingAside:
    def test_a_file_gets_another_name(self, root: Root, place: Path) -> None:
        (place / "a.json.zst").write_bytes(b"old")
        root.set_aside(listed(root, "a.json.zst"), "a.json.zst.conflict")
        assert [(each.name, each.read_bytes()) for each in place.iterdir()] == [
            ("a.json.zst.conflict", b"old")
        ]

    def test_a_name_that_is_taken_is_not_replaced(self, root: Root, place: Path) -> None:
        for name in ("a", "b"):
            (place / name).write_text(name)
        with pytest.raises(NameTakenError):
            root.set_aside(listed(root, "a"), "b")
        assert sorted((each.name, each.read_text()) for each in place.iterdir()) == [("a", "a"), ("b", "b")]

    def test_a_file_that_changed_is_left(self, root: Root, place: Path) -> None:
        (place / "a").write_text("a")
        artifact = listed(root, "a")
        (place / "a").write_text("more")
        with pytest.raises(ChangedError):
            root.set_aside(artifact, "b")
        assert [each.name for each in place.iterdir()] == ["a"]


class TestOwnFiles:
    def test_a_file_of_ours_is_made_private(self, root: Root, place: Path) -> None:
        root.make_folder("rotation")
        root.make_folder("rotation")
        os.close(root.open_own("rotation/.lock", os.O_RDWR | os.O_CREAT))
        assert stat.S_IMODE((place / "rotation" / ".lock").stat().st_mode) == 0o600

    def test_what_is_no_regular_file_is_refused_at_once(self, root: Root, place: Path, canary: Path) -> None:
        os.mkfifo(place / "fifo")
        (place / "link").symlink_to(canary)
        (place / "folder").mkdir()
        for name in ("fifo", "link", "folder"):
            with pytest.raises(ArtifactError):
                root.open_own(name, os.O_RDWR | os.O_CREAT)
        with pytest.raises(ArtifactError, match="fifo is no regular file"):
            root.open_own("fifo", os.O_RDONLY)
        assert canary.read_bytes() == b"outside"
