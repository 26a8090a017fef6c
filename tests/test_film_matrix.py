"""The table of films of docs/colorizing.md (make test-formats): what ffmpeg writes, colorized, and read by ffprobe.

ffmpeg and ffprobe are programs of their own, of another version than the library that the project uses. Of each film
the frames' number, times and lightness are compared, and the sound with its place in time.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field

import numpy as np
import pytest
from test_films import Painter

from historynet.films import FilmOptions, colorize_film, same_container

pytestmark = [
    pytest.mark.formats,
    pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed (apt-get install ffmpeg)"),
]

RATE = 16_000
H264 = "-c:v libx264 -crf 8 -pix_fmt yuv420p"
NO_B = f"{H264} -bf 0"


@dataclass
class Case:
    """A film of the matrix.

    Attributes:
        name: of its file, with the extension.
        video: ffmpeg's options for the video.
        sound: the same for the sound; "" is none.
        kept: what the sound is in the result; None: what it was.
        rate: frames a second; 0: uneven times.
        size: of the frames.
        result: extension of the result; None: as the command line would choose.
        options: fields of FilmOptions.
        notes: a pattern of each of the notes, in order.
        psnr: of the luma at least.
        more: ffmpeg's other options.
        frames: number of the result's, if not the film's.
    """

    name: str
    video: str
    sound: str = ""
    kept: str | None = None
    rate: str = "25"
    size: str = "96x64"
    result: str | None = None
    options: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    psnr: float = 36
    more: str = ""
    frames: int | None = None

    def __str__(self):
        words = re.sub(r"-\S+ |libx?|[^\w ]", "", f"{self.video} {self.sound}")
        return " ".join([self.name, words, self.rate or "uneven", self.result or "", *map(str, self.options)])


TO_AAC, TO_PCM = (r"converted to aac",), (r"converted to pcm_s16le",)
TEN = {"pixel_format": "yuv420p10"}
FIELDS = "-flags +ildct+ilme"
PAL = {"size": "720x576", "rate": "25"}

CASES = [
    # MP4
    *(Case("a.mp4", H264, "-c:a aac", rate=rate) for rate in ("24", "25", "30000/1001", "50", "12.5", "")),
    Case("b.mp4", H264, "-c:a libmp3lame"),
    Case("c.mp4", H264, "-c:a ac3"),
    Case("d.mp4", H264, "-c:a alac"),
    Case("e.mp4", H264, "-c:a flac -strict -2"),
    Case("f.mp4", H264, "-c:a libopus"),
    Case("g.mp4", "-c:v mpeg4 -q:v 2 -bf 2", "-c:a aac", rate="24"),
    Case("h.mp4", "-c:v libx265 -crf 8 -x265-params log-level=none", "-c:a aac"),
    Case("i.mp4", H264, "-c:a aac", more="-timecode 10:11:12:13"),
    Case("j.m4v", H264, "-c:a aac"),
    Case("k.mp4", H264),
    Case("l.mp4", H264, "-c:a aac", result=".mov"),
    Case("m.mp4", H264, "-c:a aac", result=".mkv", rate="30000/1001"),
    Case("n.mp4", H264, "-c:a aac", options={"codec": "libvpx-vp9"}),
    # QuickTime
    Case("a.mov", "-c:v prores_ks", "-c:a pcm_s16le", rate="24", notes=("10 bits",)),
    Case("b.mov", "-c:v prores_ks", "-c:a pcm_s24le", rate="24", options=TEN),
    Case("c.mov", "-c:v prores_ks", "-c:a pcm_s24be", rate="24", result=".mkv", notes=("10 bits", "pcm_s24le")),
    Case("d.mov", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", "-c:a pcm_s16be"),
    Case("e.mov", H264, "-c:a aac", more="-timecode 01:00:00:00", rate="24"),
    Case("f.mov", H264, "-c:a aac", more="-timecode 01:00:00;02", rate="30000/1001"),
    Case(
        "g.mov", "-c:v dvvideo", "-c:a pcm_s16le -ar 48000 -ac 2", **PAL, more="-timecode 00:00:10:00", notes=("lower",)
    ),
    Case("h.mov", "-c:v rawvideo -pix_fmt yuv422p", "-c:a pcm_mulaw"),
    Case("i.mov", H264, "-c:a adpcm_ima_qt"),
    Case("j.mov", H264, "-c:a pcm_u8", result=".mp4", kept="pcm_s16le", notes=TO_PCM),
    Case("k.mov", "-c:v png -pix_fmt gray", rate=""),
    Case("l.mov", "-c:v qtrle -pix_fmt gray", "-c:a pcm_alaw"),
    Case("m.mov", f"{H264} -pix_fmt yuv420p10le", "-c:a aac", options=TEN),
    # Matroska and WebM
    Case("a.mkv", "-c:v ffv1", "-c:a flac", rate="24"),
    Case("b.mkv", "-c:v ffv1 -pix_fmt gray", "-c:a pcm_s24le"),
    Case("c.mkv", "-c:v ffv1 -pix_fmt gray10le", options=TEN),
    Case("d.mkv", "-c:v ffv1 -pix_fmt gray16le", options=TEN, notes=("16 bits are cut to 10",)),
    Case("e.mkv", "-c:v ffv1 -pix_fmt yuv422p10le", notes=("10 bits are cut to 8",)),
    Case("f.mkv", H264, "-c:a libvorbis", rate=""),
    Case("g.mkv", "-c:v mpeg2video -q:v 2 -bf 2", "-c:a ac3"),
    Case("h.mkv", "-c:v huffyuv", "-c:a mp2"),
    Case("i.webm", "-c:v libvpx -b:v 2M", "-c:a libvorbis"),
    Case("j.webm", "-c:v libvpx-vp9 -b:v 2M -cpu-used 8", "-c:a libopus", rate="50"),
    Case("k.mkv", H264, "-c:a flac", result=".mp4"),
    Case("l.mkv", H264, "-c:a libvorbis", result=".mov", kept="aac", notes=TO_AAC),
    Case("m.mkv", f"{H264} {FIELDS} -x264opts tff=1", "-c:a aac", notes=("upper field first",)),
    Case("n.mkv", f"{H264} {FIELDS} -x264opts bff=1", "-c:a aac", notes=("lower field first",)),
    # AVI: no times but those of decoding
    Case("a.avi", "-c:v mpeg4 -q:v 2", "-c:a libmp3lame"),
    Case("b.avi", "-c:v mpeg4 -q:v 2 -bf 2", "-c:a libmp3lame", rate="24"),
    Case("c.avi", NO_B, "-c:a pcm_s16le"),
    Case("d.avi", H264, "-c:a pcm_s16le -ar 8000", rate="24"),
    Case("e.avi", f"{H264} -bf 3 -x264opts b-pyramid=normal", "-c:a ac3", rate="30000/1001"),
    Case("f.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj422p", "-c:a pcm_u8 -ar 11025"),
    Case("g.avi", "-c:v dvvideo", "-c:a pcm_s16le -ar 48000 -ac 2", **PAL, notes=("lower",)),
    Case("h.avi", "-c:v huffyuv", "-c:a adpcm_ms", kept="aac", notes=TO_AAC),
    Case("i.avi", "-c:v ffv1", "-c:a adpcm_ima_wav", kept="aac", notes=TO_AAC),
    Case("j.avi", "-c:v msmpeg4 -q:v 2", "-c:a wmav2", kept="aac", notes=TO_AAC),
    Case("k.avi", "-c:v rawvideo -pix_fmt yuv420p", "-c:a pcm_mulaw", kept="pcm_s16le", notes=TO_PCM),
    Case("l.avi", "-c:v utvideo", "-c:a pcm_alaw", kept="pcm_s16le", notes=TO_PCM, rate="12.5"),
    Case("m.avi", H264, "-c:a libmp3lame", result=".mp4", rate="24"),
    # Windows Media, Flash
    Case("a.wmv", "-c:v wmv2 -q:v 2", "-c:a wmav2", kept="aac", notes=TO_AAC, rate="24"),
    Case("b.wmv", "-c:v wmv1 -q:v 2", "-c:a wmav1", kept="aac", notes=TO_AAC),
    Case("c.asf", "-c:v msmpeg4 -q:v 2", "-c:a libmp3lame"),
    Case("a.flv", "-c:v flv -q:v 2", "-c:a libmp3lame -ar 44100"),
    Case("b.flv", H264, "-c:a aac", rate="24"),
    Case("c.flv", "-c:v flv -q:v 2", "-c:a adpcm_swf -ar 22050", kept="aac", notes=TO_AAC),
    Case("d.flv", "-c:v flashsv", "-c:a nellymoser -ar 22050", kept="aac", notes=TO_AAC),
    # MPEG, broadcasts, discs
    Case("a.vob", "-c:v mpeg2video -q:v 2", "-c:a pcm_dvd -ar 48000 -ac 2", kept="pcm_s16le", notes=TO_PCM),
    Case("b.vob", "-c:v mpeg2video -q:v 2 -bf 2", "-c:a ac3"),
    Case("c.mpg", "-c:v mpeg1video -q:v 2 -bf 2", "-c:a mp2"),
    Case("d.mpg", f"-c:v mpeg2video -q:v 2 {FIELDS} -top 1", "-c:a mp2", notes=("upper field first",)),
    Case("e.mpg", f"-c:v mpeg2video -q:v 2 {FIELDS} -top 0", "-c:a mp2", notes=("lower field first",)),
    Case("a.ts", H264, "-c:a aac"),
    Case("b.ts", "-c:v mpeg2video -q:v 2 -bf 2", "-c:a mp2", rate="30000/1001"),
    Case("c.ts", "-c:v libx265 -crf 8 -x265-params log-level=none", "-c:a ac3"),
    Case("d.ts", H264, "-c:a s302m -strict -2 -ar 48000 -ac 2", kept="pcm_s16le", notes=TO_PCM),
    Case("e.m2ts", H264, "-c:a pcm_bluray -ar 48000 -ac 2", kept="pcm_s16le", notes=TO_PCM, rate="24"),
    Case("f.ts", H264, "-c:a aac", result=".mp4"),
    Case("g.mts", H264, "-c:a ac3", result=".mov"),
    # others
    Case("a.ogv", "-c:v libtheora -q:v 10", "-c:a libvorbis"),
    Case("a.3gp", "-c:v h263 -q:v 2", "-c:a aac", size="176x144"),
    Case("a.mxf", "-c:v mpeg2video -q:v 2", "-c:a pcm_s16le -ar 48000", more="-timecode 02:00:00:00"),
    Case("a.dv", "-c:v dvvideo", "-c:a pcm_s16le -ar 48000 -ac 2", **PAL, notes=("lower",)),
]


def run(*words):
    return subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout


def make(case, path):
    """Writes a film of two seconds and a tone that rises; nobody could take one of its moments for another."""
    filters = "format=gray,format=yuv420p"
    rate = case.rate or "25"
    if not case.rate:
        filters += ",select='not(eq(mod(n,7),2)+eq(mod(n,11),3))'"
    sound = ["-f", "lavfi", "-i", "aevalsrc=0.4*sin(2*PI*(200+400*t)*t):d=2:s=48000"] if case.sound else []
    # Uneven times stay uneven.
    timing = ["-vsync", "0"] if not case.rate else []
    run(
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={case.size}:r={rate}:d=2", *sound),
        *("-filter:v", filters, *timing, *case.video.split(), *case.sound.split(), *case.more.split(), path),
    )


def probe(path):
    return json.loads(run("ffprobe", "-v", "quiet", "-show_streams", "-show_format", "-of", "json", path))


def shown(path):
    """Times of the frames."""
    lines = run(
        *("ffprobe", "-v", "quiet", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time"),
        *("-of", "csv=p=0", path),
    )
    return np.array([float(line.rstrip(",")) for line in lines.decode().split()])


def lightness(path, size):
    """Y of the frames."""
    width, height = map(int, size.split("x"))
    data = run("ffmpeg", "-v", "quiet", "-i", path, "-map", "v:0", "-vsync", "0", *RAW, "-")
    return np.frombuffer(data, np.uint16).reshape(-1, height, width)


RAW = ("-vf", "extractplanes=y,format=gray16le", "-f", "rawvideo")


def heard(path, begin):
    """The sound from a time of the file on."""
    filters = f"aresample={RATE}:async=1:min_hard_comp=0.01:first_pts={round(begin * RATE)}"
    form = ("-ac", "1", "-f", "f32le")
    return np.frombuffer(run("ffmpeg", "-v", "quiet", "-copyts", "-i", path, "-af", filters, *form, "-"), np.float32)


def check_sound(film, result, begin):
    """The same to the ear, at the same time to 6 ms."""
    before, after = heard(film, begin), heard(result, 0)
    assert abs(len(before) - len(after)) < 0.1 * RATE
    for place in (RATE // 4, RATE, int(1.6 * RATE)):
        wanted = before[place : place + RATE // 8]
        near = after[place - 400 : place + RATE // 8 + 400]
        found = [np.corrcoef(wanted, near[lag : lag + len(wanted)])[0, 1] for lag in range(801)]
        assert max(found) > 0.97
        assert abs(int(np.argmax(found)) - 400) <= 96


@pytest.mark.parametrize("case", CASES, ids=str)
def test_films(case, tmp_path):
    film = tmp_path / case.name
    make(case, film)
    result = tmp_path / f"result{case.result or same_container(film)}"
    report = colorize_film(Painter(), film, result, FilmOptions(crf=8, **case.options))
    assert report.damage == []
    assert len(report.notes) == len(case.notes), report.notes
    for pattern, note in zip(case.notes, report.notes, strict=True):
        assert re.search(pattern, note)
    before, after = probe(film), probe(result)
    begin = max(0, float(before["format"].get("start_time", 0)))
    # Frames and their times.
    wanted, times = shown(film) - begin, shown(result)
    if film.suffix == ".avi":
        wanted = np.arange(len(wanted)) / eval(case.rate)
    assert len(times) == len(wanted) == report.frames
    assert np.abs(times - wanted).max() < (1.1e-3 if ".mkv" in (film.suffix, result.suffix) else 6e-4)
    # Their lightness, of each frame.
    y, made = lightness(film, case.size), lightness(result, case.size)
    assert len(y) == len(made)
    errors = ((y.astype(np.float32) - made) ** 2).mean(axis=(1, 2))
    assert 10 * np.log10(65535**2 / errors.max()) > case.psnr
    # Sound and timecode.
    old, new = ([s for s in p["streams"] if s["codec_type"] == "audio"] for p in (before, after))
    assert len(old) == len(new) == bool(case.sound)
    for one, other in zip(old, new, strict=True):
        assert other["codec_name"] == (case.kept or one["codec_name"])
        assert other["channels"] == one["channels"]
        check_sound(film, result, begin)
    codes = [{s["tags"]["timecode"] for s in p["streams"] if "timecode" in s.get("tags", {})} for p in (before, after)]
    assert codes[0] == codes[1]
