"""Every name in a folder gets a result or a line."""

import pytest
from conftest import write_picture

from historynet.colorizing.inputs import PassedOver, list_inputs, read_list
from historynet.errors import InputError

COLORIZE = "SOURCE_HistoryNet/colorization.py"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    write_picture(folder / "a.jpg")
    write_picture(folder / "b/c.png")
    return folder


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def listed(folder, recursive=True, result_dir=None):
    passed_over = PassedOver()
    paths = list_inputs([folder], result_dir, recursive, passed_over=passed_over)
    return [str(path.relative_to(folder)) for path in paths], passed_over.lines()


def test_files_of_other_kinds_are_counted(folder):
    fill(folder, "1.dpx", "2.DPX", "b/3.dpx", "x.xcf", "y.xcf", "b/scan.cin", "README")
    paths, lines = listed(folder)
    assert paths == ["a.jpg", "b/c.png"]
    assert lines == [(folder, "7 files of other kinds passed over: 3 .dpx, 2 .xcf, 1 .cin, 1 without extension")]
    assert listed(folder, recursive=False)[1] == [
        (folder, "5 files of other kinds passed over: 2 .dpx, 2 .xcf, 1 without extension"),
        (folder, "1 subfolder not entered (--recursive)"),
    ]


def test_a_folder_of_nothing_else_says_what_it_holds(tmp_path):
    fill(tmp_path / "raw", "1.xcf", "2.xcf", "sub/3.dpx")
    for recursive, words in (
        (False, r"1 subfolder not entered: --recursive .*2 files of other kinds: 2 \.xcf"),
        (True, r"3 files.*: 2 \.xcf, 1 \.dpx"),
    ):
        with pytest.raises(InputError, match=f"raw: no pictures in this folder.*{words}"):
            list_inputs([tmp_path / "raw"], recursive=recursive)


def test_what_systems_keep_for_themselves_is_not_taken(folder):
    fill(folder, "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "b/@eaDir/x.jpg", ".thumbnails/a.jpg", "__MACOSX/._a.jpg")
    fill(folder, "$RECYCLE.BIN/x.jpg", "#recycle/x.jpg", "@Recycle/x.jpg")
    fill(folder, "._a.jpg", "b/._c.png", ".DS_Store", ".historynet.jsonl")
    paths, lines = listed(folder)
    assert paths == ["a.jpg", "b/c.png"]
    assert lines == [
        (folder, "2 hidden files passed over: 1 .jpg, 1 .png"),
        (
            folder,
            "7 folders passed over that systems keep for themselves: 2 @eaDir, 1 #recycle, 1 $RECYCLE.BIN, "
            "1 .thumbnails, 1 @Recycle, 1 __MACOSX",
        ),
    ]


def test_a_folder_of_that_kind_is_taken_if_it_is_named(tmp_path):
    write_picture(tmp_path / "@eaDir/a.jpg")
    assert len(list_inputs([tmp_path / "@eaDir"], recursive=True)) == 1


def test_two_links_to_one_file_are_said(folder):
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "b/again.jpg").symlink_to(folder / "a.jpg")
    paths, lines = listed(folder)
    assert len(paths) == 2
    (kept,) = (path for path in paths if path != "b/c.png")
    others = {"a.jpg", "link.jpg", "b/again.jpg"} - {kept}
    assert {str(path.relative_to(folder)) for path, _ in lines} == others
    assert all(line == f"the same file as {folder / kept}; one result is made" for _, line in lines)


def test_a_file_that_is_named_twice_is_no_second_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    passed_over = PassedOver()
    given = [folder, folder / "a.jpg", folder.relative_to(folder) / "a.jpg"]
    assert len(list_inputs(given, passed_over=passed_over)) == 1
    assert passed_over.lines() == [(folder, "1 subfolder not entered (--recursive)")]


def test_links_to_folders_and_results_are_not_counted_as_other_kinds(folder):
    (folder / "link").symlink_to(folder / "b")
    write_picture(folder / "out/a_reconstructed.jpg")
    paths, lines = listed(folder, result_dir=folder / "out")
    assert paths == ["a.jpg", "b/c.png"]
    assert lines == [(folder, "1 link to a folder not followed: link")]
    assert listed(folder, recursive=False, result_dir=folder / "out")[1] == [
        (folder, "2 subfolders not entered (--recursive)")
    ]


def test_the_command_says_it(folder, model, run, tmp_path):
    fill(folder, "1.dpx", "2.xcf")
    code, out, err = run(COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "out", folder)
    assert code == 0
    assert "1 colorized" in out
    assert f"note: {folder}: 2 files of other kinds passed over: 1 .dpx, 1 .xcf\n" in err
    assert f"note: {folder}: 1 subfolder not entered (--recursive)\n" in err


def test_a_list_is_read_whatever_editor_wrote_it(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfa.jpg\r\n\r\nb c.jpg\r\n")
    assert read_list(path) == ["a.jpg", "b c.jpg"]
    for content in (b"", b"\n\n", b"a.jpg\nb\0c.jpg\n", "a.jpg\n".encode("utf-16")):
        path.write_bytes(content)
        with pytest.raises(InputError, match="list.txt: no list of files"):
            read_list(path)


def test_a_list_of_urls_needs_a_url_of_results(tmp_path, run):
    (tmp_path / "list.txt").write_text("s3://bucket/a.jpg\n")
    code, _, err = run(COLORIZE, "--list", tmp_path / "list.txt", "--result-dir", tmp_path / "out")
    assert code == 2
    assert "s3://bucket/a.jpg: of objects the results are objects" in err


def test_a_name_that_cannot_be_is_taken_of_a_list(tmp_path):
    """Reading it says why."""
    long = tmp_path / f"{'n' * 300}.jpg"
    assert list_inputs([], listed=[long]) == [long]
