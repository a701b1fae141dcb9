"""An upload on disk: its encoding, its newlines, its end, and what is refused."""

import codecs
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from lib.shuttle.imports import spool as module
from lib.shuttle.imports.files import READ_BYTES, Failure, UnreadableFileError
from lib.shuttle.imports.spool import Encoding, SpooledText, spool
from tests.support.shuttle.files import OneObject, nothing, spooled, text_of

TEXT = 'sku,title\na-1,"Thé vert"\na-2,“Café” 5 €\n'


def refusal(content: bytes, folder: Path, max_text_bytes: int = 10**9) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        spooled(content, folder, max_text_bytes=max_text_bytes)
    return caught.value


# Encodings and newlines


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize(
    ("codec", "bom", "encoding"),
    [
        ("utf-8", b"", Encoding.UTF_8),
        ("utf-8", codecs.BOM_UTF8, Encoding.UTF_8),
        ("utf-16-le", codecs.BOM_UTF16_LE, Encoding.UTF_16),
        ("utf-16-be", codecs.BOM_UTF16_BE, Encoding.UTF_16),
        ("utf-16-le", b"", Encoding.UTF_16),
        ("utf-16-be", b"", Encoding.UTF_16),
        ("cp1252", b"", Encoding.WINDOWS_1252),
    ],
)
def test_every_encoding_becomes_utf_8(
    codec: str, bom: bytes, encoding: Encoding, is_gzip: bool, newline: str, tmp_path: Path
) -> None:
    content = bom + TEXT.replace("\n", newline).encode(codec)
    content = gzip.compress(content) if is_gzip else content

    found = spooled(content, tmp_path)

    assert (found.encoding, text_of(found), found.lines, found.bytes_read) == (encoding, TEXT, 3, len(content))


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_character_may_lie_across_two_reads(codec: str, newline: str, tmp_path: Path) -> None:
    for shift in range(4):
        text = "x" * (READ_BYTES - 4 - shift) + "é\n€" * 3 + "é" * READ_BYTES + "\n"
        found = spooled(text.replace("\n", newline).encode(codec), tmp_path)
        assert text_of(found) == text
        assert found.lines == 4


def test_a_late_byte_that_is_not_utf_8_makes_the_whole_file_windows_1252(tmp_path: Path) -> None:
    source = OneObject(b"title\n" + "é".encode() + b"x" * 3 * READ_BYTES + b"\xe9\n")

    found = spool(source, "a", tmp_path, nothing)

    assert (found.encoding, source.opened) == (Encoding.WINDOWS_1252, 2)
    assert text_of(found) == "title\nÃ©" + "x" * 3 * READ_BYTES + "é\n"


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a", "\x1a\r\n", "\x1a\x1a\x1a", "\x1a  "])
def test_a_ctrl_z_at_the_end_is_dropped(end: str, tmp_path: Path) -> None:
    found = spooled(("sku\na-1" + end).encode(), tmp_path)
    assert (text_of(found), found.lines) == ("sku\na-1\n", 2)


def test_a_ctrl_z_in_a_cell_stays(tmp_path: Path) -> None:
    assert text_of(spooled(b"sku\na\x1a1\n", tmp_path)) == "sku\na\x1a1\n"


@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\x1a", gzip.compress(b"", mtime=0)])
def test_an_empty_text_has_no_lines(content: bytes, tmp_path: Path) -> None:
    found = spooled(content, tmp_path)
    assert (found.size, found.lines) == (0, 0)


def test_the_file_ends_with_a_line_that_no_upload_can_know(tmp_path: Path) -> None:
    first = spooled(b"sku\na-1", tmp_path)
    assert first.path.read_text() == f"sku\na-1\n{first.sentinel}\n"
    assert spooled(b"sku\na-1", tmp_path).sentinel != first.sentinel

    with SpooledText(first, nothing) as text:
        assert text.read(1000) == "sku\na-1\n"


@pytest.mark.parametrize(
    ("content", "is_regular"),
    [
        (b'a,"b",c\n"d","e""f",g\n', True),
        (b'a,b "c" d,e\n', True),
        (b'a,"b ""c"" d",e\n', True),
        (b'a, "b",c\n', False),
        (b'a;  "b";c\n', False),
        (b'a\n "b",c\n', False),
        (b' "a",b\n', False),
        (b'a,"b" ,c\n', False),
        (b'a,"b" \n', False),
        (b'a,"b" ', False),
        (b'a,"b"\t \n', True),
        (b'"" ""\n', False),
        (b'a,"b" "c"\n', False),
        (b'a,"b ""c"" ""d"" e"\n', True),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5])
def test_quotes_with_blanks_beside_them_are_noticed(content: bytes, is_regular: bool, place: int, tmp_path: Path) -> None:
    before = b"x" * (READ_BYTES - place - 1) + b"\n"
    assert spooled(before + content, tmp_path).is_regular_csv_candidate is is_regular


# Files that are refused


def a_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.csv", TEXT)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        pytest.param(b"sku\nA\0\n", Failure.NUL_BYTE, id="a NUL"),
        pytest.param("sku\nA\0\n".encode("utf-16"), Failure.NUL_BYTE, id="a NUL in UTF-16"),
        pytest.param(TEXT.encode("utf-32"), Failure.NUL_BYTE, id="UTF-32"),
        pytest.param(b"sku\n\x81\n", Failure.BAD_ENCODING, id="bytes of no encoding"),
        pytest.param(codecs.BOM_UTF8 + b"sku\n\xe9\n", Failure.BAD_ENCODING, id="UTF-8 by its mark but not by its bytes"),
        pytest.param(codecs.BOM_UTF16_LE + b"s\0k\0\x00\xd8\n\0", Failure.BAD_ENCODING, id="half of a pair in UTF-16"),
        pytest.param(TEXT.encode("utf-16")[:-1], Failure.BAD_ENCODING, id="UTF-16 with an odd byte"),
        pytest.param(a_zip(), Failure.UNSUPPORTED_FORMAT, id="a zip archive"),
        pytest.param(b"PK\x05\x06" + bytes(18), Failure.UNSUPPORTED_FORMAT, id="an empty zip archive"),
        pytest.param(gzip.compress(a_zip()), Failure.UNSUPPORTED_FORMAT, id="a zip archive in a gzip"),
        pytest.param(gzip.compress(gzip.compress(TEXT.encode())), Failure.UNSUPPORTED_FORMAT, id="a gzip in a gzip"),
        pytest.param(bytes.fromhex("d0cf11e0a1b11ae1"), Failure.UNSUPPORTED_FORMAT, id="an old workbook"),
        pytest.param(b"%PDF-1.7\n", Failure.UNSUPPORTED_FORMAT, id="a PDF"),
        pytest.param(gzip.compress(TEXT.encode())[:-9], Failure.CANNOT_DECOMPRESS, id="a gzip cut off"),
        pytest.param(gzip.compress(TEXT.encode()) + b"x", Failure.CANNOT_DECOMPRESS, id="more after a gzip"),
        pytest.param(b"\x1f\x8bnot a gzip", Failure.CANNOT_DECOMPRESS, id="not a gzip"),
        pytest.param(gzip.compress(b"x" * 30_000_000), Failure.ZIP_BOMB, id="a gzip that expands too much"),
        pytest.param(b"x" * 100_001, Failure.FILE_TOO_LARGE, id="too long"),
        pytest.param(gzip.compress(b"xy" * 50_001), Failure.FILE_TOO_LARGE, id="too long when decompressed"),
        pytest.param("€".encode("cp1252") * 50_000, Failure.FILE_TOO_LARGE, id="too long in UTF-8"),
    ],
)
def test_a_file_that_is_not_text_within_bounds_is_refused(content: bytes, failure: Failure, tmp_path: Path) -> None:
    largest = 100_000 if failure is Failure.FILE_TOO_LARGE else 10**9
    found = refusal(content, tmp_path, largest)
    assert found.failure is failure
    assert len(found.detail) < 120


def test_a_gzip_in_a_gzip_is_called_so(tmp_path: Path) -> None:
    found = refusal(gzip.compress(gzip.compress(TEXT.encode())), tmp_path, 10**9)
    assert found.detail == "The file is compressed with gzip twice. Upload the text itself."


@pytest.mark.parametrize(("newline", "before"), [("\n", 1), ("\r\n", 1), ("\r", 1), ("\n", 70_000)])
@pytest.mark.parametrize("wrong", [b"\0", b"\x81"])
def test_the_line_of_a_wrong_byte_is_named(newline: str, before: int, wrong: bytes, tmp_path: Path) -> None:
    found = refusal((newline * before).encode() + b"a-1," + wrong + b"\n\n", tmp_path)
    assert found.detail.startswith(f"Line {before + 1} ")


def test_a_missing_upload_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="UPLOAD_MISSING"):
        spool(OneObject(None), "a", tmp_path, nothing)


def test_a_full_disk_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Spooling, "run", fail)
    assert refusal(b"sku\n", tmp_path).failure is Failure.FILE_TOO_LARGE
