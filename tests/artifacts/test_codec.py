from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_causal.artifacts.codec import (
    BLOCK_BYTES,
    MAX_WINDOW_BYTES,
    compressor,
    decode,
    frame_content,
    promised_bytes,
)
from pytest_causal.errors import DataError

NOISE = random.Random(5).randbytes(300_000)
CONTENTS = {
    "empty": b"",
    "one byte": b"a",
    "zeros": bytes(3 * BLOCK_BYTES + 1),
    "noise": NOISE,
    "text": b"".join(b"line %d\n" % number for number in range(400_000)),
    "exactly one block": NOISE[:1000] * (BLOCK_BYTES // 1000) + NOISE[: BLOCK_BYTES % 1000],
}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Write bytes to a file and return an open descriptor of it."""
    descriptors = []

    def write(data: bytes) -> int:
        path = tmp_path / "x.zst"
        path.write_bytes(data)
        descriptors.append(os.open(path, os.O_RDONLY))
        return descriptors[-1]

    yield write
    for descriptor in descriptors:
        os.close(descriptor)


def read(descriptor: int) -> bytes:
    return b"".join(frame_content(descriptor, promised_bytes(descriptor, "x.zst"), "x.zst"))


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_comes_back_in_bounded_pieces(opened, content: bytes, threads: int) -> None:
    descriptor = opened(compressor(3, threads).compress(content))
    assert promised_bytes(descriptor, "x") == len(content)
    pieces = list(frame_content(descriptor, len(content), "x"))
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= BLOCK_BYTES for piece in pieces)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0))
def test_a_frame_that_is_cut_off_anywhere_is_refused(opened, cut: int) -> None:
    frame = compressor(3).compress(CONTENTS["text"][:200_000])
    cut %= len(frame)
    with pytest.raises(DataError, match=r"x\.zst is damaged"):
        read(opened(frame[:cut]))
    with pytest.raises(DataError, match="is damaged"):
        decode(frame[:cut], limit_bytes=200_000, name="x.zst")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_frame_with_a_flipped_bit_never_yields_other_content(opened, position: int, bit: int) -> None:
    content = CONTENTS["text"][:200_000]
    frame = bytearray(compressor(3).compress(content))
    frame[position % len(frame)] ^= 1 << bit
    try:
        found = read(opened(bytes(frame)))
    except DataError:
        return
    # A bit of the header may be one that says nothing (a larger window); the content is then the same.
    assert found == content


@pytest.mark.parametrize("promised", [len(NOISE) - 1, len(NOISE) + 1])
def test_never_more_is_read_than_was_promised(opened, promised: int) -> None:
    descriptor = opened(compressor(3).compress(NOISE))
    assert len(next(frame_content(descriptor, promised, "x"))) <= promised
    with pytest.raises(DataError, match="than it says"):
        list(frame_content(descriptor, promised, "x"))


def test_each_byte_of_the_checksum_counts(opened) -> None:
    frame = compressor(3).compress(NOISE)
    for position in range(len(frame) - 4, len(frame)):
        damaged = bytearray(frame)
        damaged[position] ^= 1
        with pytest.raises(DataError):
            read(opened(bytes(damaged)))


def test_the_stream_reader_of_the_library_alone_would_hide_a_truncation(opened) -> None:
    """The reason for walking the blocks; should this fail one day, the walk is no longer needed."""
    frame = compressor(3).compress(CONTENTS["text"])
    descriptor = opened(frame[: len(frame) // 2])
    with open(descriptor, "rb", closefd=False) as source:
        found = zstandard.ZstdDecompressor().stream_reader(source, closefd=False).read()
    assert 0 < len(found) < len(CONTENTS["text"])


@pytest.mark.parametrize(("has_size", "has_checksum"), [(False, True), (True, False)])
def test_a_frame_without_size_or_checksum_is_refused(opened, has_size: bool, has_checksum: bool) -> None:
    lax = zstandard.ZstdCompressor(write_content_size=has_size, write_checksum=has_checksum)
    frame = lax.compress(NOISE)
    assert zstandard.ZstdDecompressor().decompress(frame, max_output_size=len(NOISE)) == NOISE
    with pytest.raises(DataError, match="size or the checksum"):
        read(opened(frame))
    with pytest.raises(DataError):
        decode(frame, limit_bytes=len(NOISE), name="x")


def test_t8_a_frame_that_wants_a_huge_window_is_refused(opened) -> None:
    parameters = zstandard.ZstdCompressionParameters(
        window_log=28, write_content_size=1, write_checksum=1, compression_level=1
    )
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=(1 << 28) + 1)
    frame = b"".join([stream.compress(bytes(1 << 20)) for _ in range(1 << 8)] + [stream.compress(b"1")])
    frame += stream.flush()
    assert zstandard.get_frame_parameters(frame).window_size > MAX_WINDOW_BYTES
    with pytest.raises(DataError, match="asks for a window"):
        read(opened(frame))


def test_t8_a_gigabyte_of_zeros_is_read_in_little_memory(tmp_path: Path) -> None:
    program = f"""
import os, resource, sys
from pytest_causal.artifacts.codec import frame_content, promised_bytes
resource.setrlimit(resource.RLIMIT_AS, ({512 << 20}, {512 << 20}))
descriptor = os.open(sys.argv[1], os.O_RDONLY)
promised = promised_bytes(descriptor, "x")
print(promised, sum(map(len, frame_content(descriptor, promised, "x"))))
"""
    stream = compressor(1).compressobj(size=1 << 30)
    bomb = b"".join([stream.compress(bytes(1 << 20)) for _ in range(1 << 10)]) + stream.flush()
    (tmp_path / "bomb.zst").write_bytes(bomb)
    assert len(bomb) < 200_000
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "bomb.zst"], capture_output=True, text=True, check=False
    )
    assert (run.stdout.split(), run.stderr) == ([str(1 << 30)] * 2, "")


class TestDecode:
    def test_content_comes_back(self) -> None:
        assert decode(compressor(3).compress(NOISE), limit_bytes=len(NOISE), name="x") == NOISE

    def test_t8_more_than_the_limit_is_refused_before_it_is_decoded(self) -> None:
        bomb = compressor(3).compress(bytes(1 << 28))
        with pytest.raises(DataError, match="holds more than it may"):
            decode(bomb, limit_bytes=(1 << 28) - 1, name="x")

    @pytest.mark.parametrize("garbage", [b"\0", b"garbage", compressor(3).compress(b"another frame")])
    def test_what_follows_the_frame_is_refused(self, garbage: bytes) -> None:
        with pytest.raises(DataError):
            decode(compressor(3).compress(b"frame") + garbage, limit_bytes=100, name="x")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_causal.errors import ConfigError

    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ConfigError, match=r"install pytest-causal\[artifacts\]"):
        compressor(3)


def test_importing_the_modules_does_not_import_the_codec() -> None:
    program = (
        "import sys, pytest_causal.artifacts.archive, pytest_causal.artifacts.frame; "
        "print('zstandard' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
