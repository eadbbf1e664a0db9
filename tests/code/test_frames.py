"""Frames between the service and its reading processes: what is sent arrives, what is broken is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.server.frames import LARGEST_HEAD, LENGTH, BrokenFrame, Frame, read_frame

heads = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key != "parts"), st.none() | st.integers() | st.text(max_size=20), max_size=4
)


def reader(data: bytes) -> Callable[[int], bytes]:
    return io.BytesIO(data).read


@given(st.lists(st.tuples(heads, st.lists(st.binary(max_size=50), max_size=3)), max_size=4))
def test_frames_arrive_as_they_were_sent(messages: list[tuple[dict[str, object], list[bytes]]]) -> None:
    frames = [Frame(head, tuple(parts)) for head, parts in messages]
    read = reader(b"".join(chunk for frame in frames for chunk in frame.chunks()))
    assert [read_frame(read) for _ in frames] == frames
    assert read_frame(read) is None


@given(heads, st.binary(max_size=50), st.data())
def test_a_frame_that_stops_in_the_middle_is_refused(head: dict[str, object], part: bytes, data: st.DataObject) -> None:
    whole = b"".join(Frame(head, (part,)).chunks())
    end = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(BrokenFrame):
        read_frame(reader(whole[:end]))


@given(st.binary(min_size=4, max_size=200))
def test_noise_is_refused_and_never_run(noise: bytes) -> None:
    try:
        frame = read_frame(reader(noise))
    except BrokenFrame:
        return
    assert frame is not None
    assert isinstance(frame.head, dict)


def sent(head: object) -> bytes:
    text = json.dumps(head).encode()
    return LENGTH.pack(len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LENGTH.pack(LARGEST_HEAD + 1), id="a head without bound"),
        pytest.param(LENGTH.pack(0), id="an empty head"),
        pytest.param(sent([1, 2]), id="no object"),
        pytest.param(sent({"task": "read"}), id="no parts"),
        pytest.param(sent({"parts": 3}), id="parts that are no list"),
        pytest.param(sent({"parts": [-1]}), id="a part of negative length"),
        pytest.param(sent({"parts": [2**40]}), id="a part without bound"),
        pytest.param(sent({"parts": ["1"]}), id="a length that is text"),
        pytest.param(sent({"parts": [5]}) + b"1234", id="a part that is too short"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        read_frame(reader(data))


def test_documents_are_not_copied() -> None:
    document = b"x" * 1000
    assert Frame({}, (document,)).chunks()[-1] is document
