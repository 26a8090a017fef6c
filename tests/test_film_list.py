"""The list of films: what a row may hold, what is said of one that is wrong, and a list made of a folder."""

import os

import pytest
from mhmd_films import write_list

from historynet.collecting import film_list, manifest
from historynet.collecting.film_list import Film
from historynet.errors import InputError


def test_a_row_is_read_as_it_stands(tmp_path):
    full = {"key": "the-film", "part": "e01", "path": "sub/a b.mp4", "name": "Ein Filmchen", "year": "1994"}
    full |= {"era": "during after", "nationality": "china", "garment": "formal informal", "start": "60", "end": "90.5"}
    path = write_list(tmp_path / "films.csv", full | {"shelf": "7"}, {"key": "b", "path": "/x/b.mkv"})
    first, second = film_list.read(path)
    assert first == Film(
        *("the-film", "e01", tmp_path / "sub/a b.mp4", "Ein Filmchen", 1994, ("during", "after"), ("china",)),
        *(("formal", "informal"), "CC0", "made", 60.0, 90.5, (("shelf", "7"),), 2),
    )
    assert (first.file_key, second.file_key) == ("the-film-e01", "b")
    assert (second.eras, second.start, second.year, str(second.path)) == ((), None, None, "/x/b.mkv")


def test_a_list_that_is_written_is_read_again(tmp_path):
    rows = [{"key": "a", "path": "a.mp4", "era": "after", "start": "1234567.25", "note": "x"}]
    rows += [{"key": "b", "part": "2", "path": "/far/b.mp4", "year": "1999"}]
    films = film_list.read(write_list(tmp_path / "films.csv", *rows))
    for folder in (tmp_path, tmp_path / "elsewhere"):
        film_list.write(folder / "copy.csv", films)
        assert film_list.read(folder / "copy.csv") == films
    assert "\na,,a.mp4," in (tmp_path / "copy.csv").read_text()


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ({"key": "A"}, "key", "up to 40"),
        ({"key": "-a"}, "key", "up to 40"),
        ({"key": "a" * 41}, "key", "up to 40"),
        ({"part": "e-1"}, "part", "up to 12"),
        ({"path": ""}, "path", "path of the film"),
        ({"year": "94"}, "year", "four digits"),
        ({"year": "0000"}, "year", "not 0 first"),
        ({"era": "during later"}, "era", "words of after, before, during"),
        ({"nationality": "China"}, "nationality", "words"),
        ({"garment": "Hat"}, "garment", "words"),
        ({"start": "1:20"}, "start", "seconds"),
        ({"start": "nan"}, "start", "seconds"),
        ({"end": "-1"}, "end", "seconds"),
        ({"start": "90", "end": "60"}, "end", "after start"),
    ],
)
def test_a_wrong_field_is_named_with_line_and_column(tmp_path, row, column, said):
    path = write_list(tmp_path / "films.csv", {"key": "ok", "path": "a"}, {"key": "x", "path": "b", **row})
    with pytest.raises(InputError, match=f"films.csv, line 3, column {column}: .*{said}"):
        film_list.read(path, {"era": ["before", "during", "after"]})


def test_two_rows_of_one_file_key_are_refused(tmp_path):
    rows = [{"key": "a-1", "path": "a"}, {"key": "b", "path": "a"}, {"key": "a", "part": "1", "path": "c"}]
    with pytest.raises(InputError, match="line 4, column key: a-1 is that of line 2"):
        film_list.read(write_list(tmp_path / "films.csv", *rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has to name the columns key,part,path; key is missing"),
        ("key,path\n", "part is missing"),
        ("key;part;path\na;;b\n", "separated by semicolons; save it with commas"),
        ("key\tpart\tpath\na\t\tb\n", "separated by tabs; save it with commas"),
        ("key,part,path,path\n", "names the column path twice"),
        ("key,part,path\n", "there is no film in it"),
        ("key,part,path\na,,b,c\n", "line 2: 4 cells, and the first line has 3"),
        ('key,part,path\na,,b\nc,,"d\ne,,f\n', "line 3: no row of a table .*is a quotation mark missing"),
    ],
)
def test_what_is_no_list_is_named(tmp_path, text, said):
    (tmp_path / "films.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        film_list.read(tmp_path / "films.csv")


def test_bytes_that_are_no_text_and_a_missing_list(tmp_path):
    (tmp_path / "films.csv").write_bytes(b"key,part,path\na,,\xff\n")
    with pytest.raises(InputError, match="no table in UTF-8"):
        film_list.read(tmp_path / "films.csv")
    with pytest.raises(InputError, match="cannot be read"):
        film_list.read(tmp_path / "none.csv")


def test_a_list_as_office_programs_write_it(tmp_path):
    """With a mark of its encoding, and carriage returns."""
    (tmp_path / "films.csv").write_bytes(b"\xef\xbb\xbfkey,part,path\r\na,,b.mp4\r\n\r\n")
    (film,) = film_list.read(tmp_path / "films.csv")
    assert (film.key, film.path) == ("a", tmp_path / "b.mp4")


def test_licence_and_source_have_to_be_there_unless_it_is_private(tmp_path):
    rows = [
        {"key": "a", "path": "a"},
        {"key": "b", "path": "b", "source": ""},
        {"key": "c", "path": "c", "licence": ""},
    ]
    path = write_list(tmp_path / "films.csv", *rows)
    with pytest.raises(InputError, match="line 3, column source: nothing stands there; 2 of 3 films .* --private"):
        film_list.open_list(path, private=False)
    assert len(film_list.open_list(path, private=True)) == 3
    assert len(film_list.open_list(write_list(path, *rows[:1]), private=False)) == 1


def test_a_folder_gets_a_list_that_is_to_be_filled_in(tmp_path):
    for name in ("Über uns (1994).mp4", "uber_uns 1994.mkv", "b.avi", "notes.txt", "x" * 60 + ".mp4"):
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="films.csv: now lists the folder's 4 films; fill in .* --private"):
        film_list.open_list(tmp_path, private=False)
    with pytest.raises(InputError, match="line 2, column licence: nothing stands there; 4 of 4"):
        film_list.open_list(tmp_path, private=False)
    films = film_list.open_list(tmp_path, private=True)
    assert {film.key for film in films} == {"b", "uber-uns-1994", "ber-uns-1994", "x" * 36}
    assert {film.path.name for film in films} == {path.name for path in tmp_path.iterdir()} - {"notes.txt", "films.csv"}
    # What somebody fills in stays.
    text = (tmp_path / "films.csv").read_text().replace(",,,,,,,,", ",,,,,CC0,made,,")
    (tmp_path / "films.csv").write_text(text)
    assert [film.licence for film in film_list.open_list(tmp_path, private=False)] == ["CC0"] * 4
    assert (tmp_path / "films.csv").read_text() == text


def test_films_of_one_name_in_a_folder_have_keys_of_their_own(tmp_path):
    for name in ("a.mp4", "a.mkv", "A.avi", "---.mp4"):
        (tmp_path / name).write_text("x")
    assert [film.key for film in film_list.open_list(tmp_path, private=True)] == ["film", "a", "a-2", "a-3"]


def test_a_name_that_is_no_text_cannot_stand_in_a_list(tmp_path):
    (tmp_path / os.fsdecode(b"f\xff.mp4")).write_text("x")
    with pytest.raises(InputError, match="cannot stand in a list; rename it"):
        film_list.open_list(tmp_path, private=True)


def test_old_films_are_noted(tmp_path):
    rows = [{"key": "a", "path": "a", "year": "1989"}, {"key": "b", "path": "b", "year": "1990"}]
    (note,) = film_list.notes(film_list.read(write_list(tmp_path / "films.csv", *rows)))
    assert note.startswith("a: of 1989")


def test_a_manifest_that_is_written_is_read_again(tmp_path):
    pictures = [
        manifest.Picture("b-00000080.jpg", "b", "b", "", 0.08, ((1.5, 2, 30.1, 40),), 0.0321, 12.25),
        manifest.Picture("a-1-00001000.jpg", "a-1", "a", "1", 1.0, (), 0.5, 3.0),
    ]
    manifest.write(tmp_path, pictures)
    assert manifest.read(tmp_path) == pictures[::-1]
    assert manifest.path_of(tmp_path, pictures[1]) == tmp_path / "frames/a-1/a-1-00001000.jpg"
    assert manifest.mask_of(tmp_path, pictures[1]) == tmp_path / "frames/a-1/masks/a-1-00001000.png"
    with pytest.raises(InputError, match=r"choose\.py writes it"):
        manifest.read(tmp_path / "elsewhere")
    (tmp_path / "manifest.csv").write_text("picture,boxes\na,[]\n")
    with pytest.raises(InputError, match="not a list of pictures"):
        manifest.read(tmp_path)
