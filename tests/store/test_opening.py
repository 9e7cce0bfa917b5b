"""Opening a store: which files are taken, which are made, and which are left alone."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_causal.errors import ConfigError, MissingInputError, StoreBusyError, StoreError, StoreRefusedError
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return what the files in a folder hold; an empty log and what SQLite shares between processes are no content."""
    return {
        str(path.relative_to(folder)): content
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
        if (content := path.read_bytes()) or not path.name.endswith("-wal")
    }


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def filled(store_path, make):
    """The path of a store that holds one session, closed."""
    store = open_store(str(store_path))
    make.session(store, [make.run("kept")])
    store.close()
    return store_path


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


class TestMaking:
    def test_t17_what_is_made_belongs_to_its_owner_alone(self, tmp_path, make):
        path = tmp_path / "deep" / "er" / ".causal" / "history.db"
        before = os.umask(0)
        try:
            store = open_store(str(path))
            make.session(store, [make.run()])
            made = {each.name: mode_of(each) for each in path.parent.iterdir()}
        finally:
            os.umask(before)
        store.close()
        assert set(made) == {"history.db", "history.db-wal", "history.db-shm", ".gitignore"}
        assert set(made.values()) == {0o600}
        assert {mode_of(folder) for folder in (path.parent, path.parent.parent, tmp_path / "deep")} == {0o700}

    def test_our_folder_keeps_itself_out_of_version_control(self, tmp_path):
        open_store(str(tmp_path / ".causal" / "h.db")).close()
        assert (tmp_path / ".causal" / ".gitignore").read_text() == "*\n"

    def test_a_folder_that_is_there_or_is_not_ours_is_left_as_it_is(self, tmp_path):
        (tmp_path / ".causal").mkdir(mode=0o755)
        open_store(str(tmp_path / ".causal" / "h.db")).close()
        open_store(str(tmp_path / "mine" / "h.db")).close()
        assert not (tmp_path / ".causal" / ".gitignore").exists()
        assert not (tmp_path / "mine" / ".gitignore").exists()
        assert mode_of(tmp_path / ".causal") == 0o755

    def test_a_relative_path_starts_at_the_working_directory_of_opening(self, tmp_path, make, monkeypatch):
        monkeypatch.chdir(tmp_path)
        store = open_store("history.db")
        monkeypatch.chdir("/")
        make.session(store, [make.run()])
        assert not store.is_moved()
        store.close()
        assert (tmp_path / "history.db").exists()

    def test_the_database_is_set_up_for_many_writers(self, store_path):
        store = open_store(str(store_path), busy_seconds=7.5)
        value = store._database.value
        assert value("PRAGMA journal_mode") == "wal"
        assert value("PRAGMA synchronous") == 1
        assert value("PRAGMA trusted_schema") == 0
        assert value("PRAGMA busy_timeout") == 7500
        store.busy_seconds = 0.25
        assert value("PRAGMA busy_timeout") == 250
        assert store.busy_seconds == 0.25
        store.close()

    def test_sqlite_is_imported_when_a_store_is_opened_and_not_before(self):
        code = "import sys, pytest_causal.store.opening; sys.exit('sqlite3' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestLocations:
    @pytest.mark.parametrize(
        ("location", "complaint"),
        [
            ("postgresql://me:secret@host/db", "PostgreSQL is not supported yet"),
            ("postgres://me:secret@host/db", "PostgreSQL is not supported yet"),
            ("mysql://me:secret@host/db", "'mysql'"),
            ("", "not the path"),
            ("a\0b", "not the path"),
            ("x" * 221, "221 bytes of name"),
            ("ü" * 111, "222 bytes of name"),
            ("/" + "/".join(["d" * 50] * 10), "510 in all"),
        ],
    )
    def test_s8_what_cannot_be_a_store_is_refused_with_what_to_do(self, location, complaint):
        with pytest.raises(ConfigError, match=complaint) as caught:
            open_store(location)
        assert caught.value.remedy
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "name",
        [
            "a b",
            "it's",
            'a"b',
            "50%",
            "%41",
            "what?mode=ro",
            "#1",
            "a;b",
            "~",
            "-wal",
            "ü🎉",
            "x" * 220,
            "\n",
            "\udcff",
            "\\",
            ".",
        ],
    )
    def test_s8_odd_names_are_names(self, tmp_path, make, name):
        path = tmp_path / (name + "db" if name == "." else name)
        store = open_store(str(path))
        make.session(store, [make.run("a")])
        assert {each.name for each in tmp_path.iterdir()} == {path.name + end for end in ("", "-wal", "-shm")}
        store.close()
        reader = open_store(str(path), readonly=True)
        assert len(list(reader.history(HistoryQuery()))) == 1
        reader.close()

    def test_s8_the_longest_path_works_whole(self, tmp_path, make):
        room = 503 - len(str(tmp_path)) - 1 - 221
        path = tmp_path / "/".join(["d" * 50] * (room // 51)) / ("d" * (room % 51 or 1)) / ("x" * 220)
        path = path if len(str(path)) <= 503 else tmp_path / path.name
        store = open_store(str(path))
        make.session(store, [make.run("a")])
        store.checkpoint()
        moved = store.set_aside()
        assert Path(moved).exists()

    @pytest.mark.parametrize("settings", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}])
    def test_s8_the_locale_does_not_matter(self, tmp_path, child, settings):
        path = os.fsencode(tmp_path) + "/ü\udcff.db".encode("utf-8", "surrogateescape")
        process = child("sessions.py", os.fsdecode(path), "a", 1, 2, env={**os.environ, **settings})
        _, complaint = process.communicate("", timeout=60)
        assert (process.returncode, complaint) == (0, "")
        assert os.path.exists(path)

    def test_s8_few_file_descriptors_are_enough_and_none_is_said(self, tmp_path, child):
        limited = ["prlimit", "--nofile=32:32"]
        process = child("sessions.py", tmp_path / "a.db", "a", 3, 5, prefix=limited)
        _, complaint = process.communicate("", timeout=60)
        assert (process.returncode, complaint) == (0, "")
        code = (
            "import os, sys\n"
            "from pytest_causal.store.opening import open_store\n"
            "import pytest_causal.store.sqlite\n"
            "try:\n"
            "    while True: os.dup(0)\n"
            "except OSError: pass\n"
            "open_store(sys.argv[1])\n"
        )
        full = subprocess.run(
            [*limited, sys.executable, "-c", code, str(tmp_path / "a.db")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "StoreError: the history store" in full.stderr.splitlines()[-1]


class TestOtherThings:
    def refused(self, path: Path, what: str) -> None:
        for readonly in (False, True):
            with pytest.raises(StoreRefusedError, match=what):
                open_store(str(path), readonly=readonly)

    def test_p3_a_directory_is_refused(self, tmp_path):
        self.refused(tmp_path, "is a directory")

    @pytest.mark.timeout(20)
    def test_p3_a_pipe_is_refused_without_waiting(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        self.refused(tmp_path / "pipe", "is a pipe")

    def test_p3_a_device_is_refused(self):
        self.refused(Path("/dev/null"), "is a device")

    def test_p3_a_socket_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
            self.refused(tmp_path / "socket", "is a socket")

    def test_p3_a_link_to_nothing_is_refused(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "nothing")
        self.refused(tmp_path / "link", "link to nothing")
        assert [each.name for each in tmp_path.iterdir()] == ["link"]

    def test_p3_a_link_to_a_store_is_that_store(self, tmp_path, filled):
        (tmp_path / "link").symlink_to(filled)
        store = open_store(str(tmp_path / "link"))
        assert len(store.sessions()) == 1
        store.close()

    def test_p3_a_folder_that_is_a_file_is_an_error(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="cannot be"):
            open_store(str(tmp_path / "file" / "history.db"))

    def test_another_programs_database_is_not_touched(self, tmp_path):
        path = tmp_path / "other.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE theirs (x)")
        connection.execute("INSERT INTO theirs VALUES (1)")
        before = snapshot(tmp_path)
        assert before["other.db-wal"]
        self.refused(path, "another program")
        assert snapshot(tmp_path) == before
        connection.close()

    @pytest.mark.parametrize(
        "content", [b"[tool.causal]\n", "Ünicode, cut in a character: ".encode() + "ü".encode() * 4000]
    )
    def test_a_text_file_named_by_mistake_is_not_touched(self, tmp_path, content):
        path = tmp_path / "pyproject.toml"
        path.write_bytes(content)
        with pytest.raises(StoreRefusedError, match="is a text file"):
            open_store(str(path))
        assert snapshot(tmp_path) == {"pyproject.toml": content}

    @pytest.mark.parametrize(
        "alteration",
        [
            "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
            "CREATE VIEW v AS SELECT 1",
            "CREATE TABLE extra (x)",
            "CREATE INDEX i ON runs (scenario_id)",
            "DROP TABLE metrics",
            "DROP INDEX sessions_by_key",
            "ALTER TABLE runs ADD COLUMN x TEXT",
            "ALTER TABLE runs RENAME COLUMN arm TO leg",
        ],
    )
    def test_s10_a_store_with_other_tables_is_refused(self, filled, alteration):
        change(filled, alteration)
        before = snapshot(filled.parent)
        self.refused(filled, "tables")
        assert snapshot(filled.parent) == before

    def test_a_store_whose_statistics_somebody_gathered_is_still_a_store(self, filled):
        change(filled, "ANALYZE", "VACUUM")
        store = open_store(str(filled))
        assert len(store.sessions()) == 1
        store.close()

    def test_s10_a_schema_that_was_rewritten_is_refused(self, filled):
        change(
            filled,
            "PRAGMA writable_schema=ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '') WHERE name = 'runs'",
        )
        self.refused(filled, "tables")


class TestOtherVersions:
    def test_p4_an_empty_file_is_a_new_store(self, store_path, make):
        store_path.parent.mkdir()
        store_path.touch(0o640)
        inode = store_path.stat().st_ino
        store = open_store(str(store_path))
        make.session(store, [make.run()])
        assert store.notices == ()
        store.close()
        assert store_path.stat().st_ino == inode

    def test_p7_a_newer_store_is_not_written_and_can_be_read(self, filled):
        change(filled, "PRAGMA user_version=99", "CREATE TABLE of_the_future (x)")
        before = snapshot(filled.parent)
        with pytest.raises(
            StoreRefusedError, match=r"newer pytest-causal \(schema 99; .* schema 3\); upgrade"
        ):
            open_store(str(filled))
        reader = open_store(str(filled), readonly=True)
        assert [record.run.scenario for record in reader.history(HistoryQuery())] == ["kept"]
        assert reader.health().schema_version == 99
        assert "schema 99" in reader.notices[0]
        assert reader.health().problems == reader.notices
        reader.close()
        assert snapshot(filled.parent) == before

    def test_an_older_store_is_not_migrated_by_a_reader(self, filled):
        change(filled, "PRAGMA user_version=0")
        before = snapshot(filled.parent)
        with pytest.raises(StoreRefusedError, match="schema 0"):
            open_store(str(filled), readonly=True)
        assert snapshot(filled.parent) == before


class TestReading:
    @pytest.mark.parametrize("is_empty", [False, True])
    def test_a_reader_finds_no_store_and_makes_none(self, store_path, is_empty):
        if is_empty:
            store_path.parent.mkdir()
            store_path.touch()
        before = sorted(store_path.parent.parent.rglob("*"))
        with pytest.raises(MissingInputError, match="no history store"):
            open_store(str(store_path), readonly=True)
        assert sorted(store_path.parent.parent.rglob("*")) == before

    def test_a_reader_cannot_write(self, filled, make):
        before = snapshot(filled.parent)
        reader = open_store(str(filled), readonly=True)
        with pytest.raises(StoreError, match="read-only"):
            reader.begin_session(make.facts())
        assert [scenario.name for scenario in reader.scenarios()] == ["kept"]
        assert reader.health(deep=True).problems == ()
        reader.close()
        assert snapshot(filled.parent) == before

    def test_a_reader_sees_what_is_committed_after_it_opened(self, filled, make):
        reader, writer = open_store(str(filled), readonly=True), open_store(str(filled))
        make.session(writer, [make.run("later")])
        assert [record.run.scenario for record in reader.history(HistoryQuery())] == ["later", "kept"]
        writer.close()
        reader.close()

    @pytest.mark.fault
    def test_s4_a_store_on_a_read_only_file_system_is_read_and_not_written(self, filled, own_mounts):
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$4"'
        code = (
            "import sys\n"
            "from pytest_causal.errors import StoreError\n"
            "from pytest_causal.store.interface import HistoryQuery\n"
            "from pytest_causal.store.opening import open_store\n"
            "store = open_store(sys.argv[1], readonly=True)\n"
            "names = [record.run.scenario for record in store.history(HistoryQuery())]\n"
            "print(names, store.health(deep=True).problems)\n"
            "try: open_store(sys.argv[1]).begin_session(None)\n"
            "except StoreError as error: print(error)\n"
            "try: open(sys.argv[1] + '-x', 'w')\n"
            "except OSError as error: print(error.strerror)\n"
        )
        command = [*own_mounts, "sh", "-c", script, "sh", filled.parent, sys.executable, code, filled]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.stderr == ""
        read, refused, proof = told.stdout.splitlines()
        assert read == "['kept'] ()"
        assert refused.startswith(f"the history store {filled} ")
        assert proof == "Read-only file system"

    @pytest.mark.fault
    def test_s4_a_log_on_a_read_only_file_system_is_not_passed_over(self, filled, make, own_mounts, tmp_path):
        writer = open_store(str(filled))
        make.session(writer, [make.run("in the log")])
        copied = tmp_path / "copied"
        copied.mkdir()
        for each in (filled, filled.with_name("history.db-wal")):
            shutil.copy(each, copied)
        writer.close()
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$4"'
        code = "import sys; from pytest_causal.store.opening import open_store; open_store(sys.argv[1], readonly=True)"
        command = [*own_mounts, "sh", "-c", script, "sh", copied, sys.executable, code, copied / filled.name]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "its newest part is in history.db-wal; copy both" in told.stderr.splitlines()[-1]


class TestLogs:
    @pytest.mark.parametrize("is_empty", [False, True])
    def test_s6_a_log_whose_store_is_gone_is_set_aside(self, filled, make, is_empty):
        writer = open_store(str(filled))
        make.session(writer, [make.run()])
        log = filled.with_name("history.db-wal")
        content = log.read_bytes()
        assert content
        filled.unlink()
        if is_empty:
            filled.touch()
        store = open_store(str(filled))
        assert store.sessions() == []
        (notice,) = store.notices
        (kept,) = filled.parent.glob("history.db.corrupt-*-wal")
        assert kept.read_bytes() == content
        assert str(kept) in notice
        assert store.health().quarantined == (str(kept.with_name(kept.name[:-4] + "-shm")), str(kept))
        store.close()
        writer.close()

    def test_s6_a_log_of_another_store_is_refused_before_it_does_harm(self, filled, tmp_path, make):
        other = open_store(str(tmp_path / "other.db"))
        other.checkpoint()
        make.session(other, [make.run("theirs")])
        shutil.copy(tmp_path / "other.db-wal", filled.with_name("history.db-wal"))
        before = snapshot(filled.parent)
        for readonly in (False, True):
            with pytest.raises(StoreRefusedError, match="does not belong"):
                open_store(str(filled), readonly=readonly)
        assert snapshot(filled.parent) == before
        filled.with_name("history.db-wal").unlink()
        store = open_store(str(filled))
        assert [scenario.name for scenario in store.scenarios()] == ["kept"]
        assert store.health(deep=True).problems == ()
        store.close()
        other.close()

    def test_s6_a_copy_made_with_its_log_holds_all(self, filled, tmp_path, make):
        writer = open_store(str(filled))
        make.session(writer, [make.run("in the log")])
        for end in ("", "-wal"):
            shutil.copy(f"{filled}{end}", f"{tmp_path}/copy.db{end}")
        copy = open_store(str(tmp_path / "copy.db"))
        assert [scenario.name for scenario in copy.scenarios()] == ["in the log", "kept"]
        copy.close()
        writer.close()

    def test_s6_a_store_without_the_shared_memory_of_its_log_loses_nothing(self, filled, make):
        writer = open_store(str(filled))
        make.session(writer, [make.run("in the log")])
        copy = filled.parent / "copy.db"
        shutil.copy(filled, copy)
        shutil.copy(f"{filled}-wal", f"{copy}-wal")
        Path(f"{copy}-shm").write_bytes(b"stale" * 6000)
        opened = open_store(str(copy))
        assert len(opened.sessions()) == 2
        opened.close()
        writer.close()


class TestMoving:
    def test_s7_a_store_that_was_deleted_or_replaced_is_noticed(self, filled, tmp_path, make):
        store = open_store(str(filled))
        assert not store.is_moved()
        filled.rename(tmp_path / "elsewhere")
        assert store.is_moved()
        filled.mkdir()
        assert store.is_moved()
        filled.rmdir()
        other = open_store(str(filled))
        assert store.is_moved()
        assert not other.is_moved()
        make.session(other, [make.run("new")])
        store.close()  # does not take the other's log away
        assert [scenario.name for scenario in other.scenarios()] == ["new"]
        other.close()
        again = open_store(str(filled))
        assert [scenario.name for scenario in again.scenarios()] == ["new"]
        again.close()


@pytest.mark.fault
def test_a_folder_that_is_being_mended_is_waited_for_and_not_for_ever(store_path):
    store_path.parent.mkdir()
    holder = subprocess.Popen(
        ["flock", store_path.parent, sys.executable, "-c", "print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StoreBusyError, match="another process is making"):
        open_store(str(store_path), busy_seconds=0.1)
    holder.communicate(b"\n")
    open_store(str(store_path), busy_seconds=30.0).close()
