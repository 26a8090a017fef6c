"""The table of films of docs/colorizing.md (make test-formats): containers, codecs, sound, rates, and what they become.

Frames, their times and the sound are made here by formulas, so that the results are compared with what is known, not
with what another reading of the film says. Where ffprobe is installed, of another version of libav, it reads the
results again.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
import numpy as np
import pytest
from test_films import Painter, luma

from historynet.films import FilmOptions, colorize_film, same_container

pytestmark = pytest.mark.formats

SECONDS = 2
RATE = 16_000
H264 = "libx264 crf=8"
FIELDS = "flags=+ildct+ilme"


@dataclass
class Case:
    """A film of the matrix.

    Attributes:
        name: of its file, with the extension.
        video: the encoder and its options; `pix_fmt` and `first` (the field that is shown first) are ours.
        sound: the same for the sound; `rate`, `layout` and `format` (of the samples) are ours; "" is none.
        kept: what the sound is in the result; None: what it was.
        rate: frames a second; "": uneven times.
        size: of the frames.
        result: extension of the result; None: as the command line would choose.
        options: fields of FilmOptions.
        notes: a pattern of each of the notes, in order.
        timecode: of the first frame.
        fields: what frames of the result are; None: progressive.
        psnr: of the luma at least.
    """

    name: str
    video: str
    sound: str = ""
    kept: str | None = None
    rate: str = "25"
    size: tuple[int, int] = (96, 64)
    result: str | None = None
    options: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    timecode: str | None = None
    fields: str | None = None
    psnr: float = 36

    def __str__(self):
        words = (self.name, self.video, self.sound, self.rate or "uneven", self.result or "", *self.options)
        return " ".join(re.sub(r" \S+=\S+", "", word) for word in words if word)


TO_AAC, TO_PCM, TO_PCM_24 = ("converted to aac",), ("converted to pcm_s16le",), ("converted to pcm_s24le",)
TEN = {"pixel_format": "yuv420p10"}
UPPER, LOWER = ("upper field first",), ("lower field first",)
DV = {"size": (720, 576), "notes": LOWER, "fields": "lower", "timecode": "00:00:10:00"}
DISC = "rate=48000 layout=stereo"

CASES = [
    # MP4
    *(Case("a.mp4", H264, "aac", rate=rate) for rate in ("24", "25", "30000/1001", "50", "12.5", "")),
    Case("b.mp4", H264, "libmp3lame"),
    Case("c.mp4", H264, "ac3"),
    Case("d.mp4", H264, "alac"),
    Case("e.mp4", H264, "flac"),
    Case("f.mp4", H264, "libopus"),
    Case("g.mp4", "mpeg4 q=2 bf=2", "aac", rate="24"),
    Case("h.mp4", "libx265 crf=8 x265-params=log-level=none", "aac"),
    Case("i.mp4", H264, "aac", timecode="10:11:12:13"),
    Case("j.m4v", H264, "aac"),
    Case("k.mp4", H264),
    Case("l.mp4", H264, "aac", result=".mov"),
    Case("m.mp4", H264, "aac", result=".mkv", rate="30000/1001"),
    Case("n.mp4", H264, "aac", options={"codec": "libvpx-vp9"}),
    # QuickTime
    Case("a.mov", "prores_ks pix_fmt=yuv422p10le", "pcm_s16le", rate="24", notes=("10 bits",)),
    Case("b.mov", "prores_ks pix_fmt=yuv422p10le", "pcm_s24le", rate="24", options=TEN),
    Case("c.mov", "prores_ks pix_fmt=yuv422p10le", "pcm_s24be", rate="24", result=".mkv", notes=("10 bits",)),
    Case("d.mov", "mjpeg q=2 pix_fmt=yuvj420p", "pcm_s16be"),
    Case("e.mov", H264, "aac", timecode="01:00:00:00", rate="24"),
    Case("f.mov", H264, "aac", timecode="01:00:00;02", rate="30000/1001"),
    Case("g.mov", "dvvideo", f"pcm_s16le {DISC}", **DV),
    Case("h.mov", "rawvideo pix_fmt=uyvy422", "pcm_mulaw"),
    Case("i.mov", H264, "adpcm_ima_qt"),
    Case("j.mov", H264, "pcm_u8", result=".mp4", kept="pcm_s16le", notes=TO_PCM),
    Case("k.mov", "png pix_fmt=gray", rate=""),
    Case("l.mov", "qtrle pix_fmt=rgb24", "pcm_alaw"),
    Case("m.mov", f"{H264} pix_fmt=yuv420p10le", "aac", options=TEN),
    # Matroska and WebM
    Case("a.mkv", "ffv1", "flac", rate="24"),
    Case("b.mkv", "ffv1 pix_fmt=gray", "pcm_s24le"),
    Case("c.mkv", "ffv1 pix_fmt=gray10le", options=TEN),
    Case("d.mkv", "ffv1 pix_fmt=gray16le", options=TEN, notes=("16 bits are cut to 10",)),
    Case("e.mkv", "ffv1 pix_fmt=yuv422p10le", notes=("10 bits are cut to 8",)),
    Case("f.mkv", H264, "vorbis strict=-2 layout=stereo", rate=""),
    Case("g.mkv", "mpeg2video q=2 bf=2", "ac3"),
    Case("h.mkv", "mjpeg q=2 pix_fmt=yuvj422p", "mp2"),
    Case("i.webm", "libvpx b=2000000", "vorbis strict=-2 layout=stereo"),
    Case("j.webm", "libvpx-vp9 b=2000000 cpu-used=8", "libopus", rate="50"),
    Case("k.mkv", H264, "flac", result=".mp4"),
    Case("l.mkv", H264, "vorbis strict=-2 layout=stereo", result=".mov", kept="aac", notes=TO_AAC),
    Case("m.mkv", f"{H264} {FIELDS} first=upper", "aac", notes=UPPER, fields="upper"),
    Case("n.mkv", f"{H264} {FIELDS} first=lower", "aac", notes=LOWER, fields="lower"),
    # AVI: no times but those of decoding
    Case("a.avi", "mpeg4 q=2", "libmp3lame"),
    Case("b.avi", "mpeg4 q=2 bf=2", "libmp3lame", rate="24"),
    Case("c.avi", f"{H264} bf=0", "pcm_s16le"),
    Case("d.avi", H264, "pcm_s16le rate=8000", rate="24"),
    Case("e.avi", f"{H264} bf=3 x264opts=b-pyramid=normal", "ac3", rate="30000/1001"),
    Case("f.avi", "mjpeg q=2 pix_fmt=yuvj420p", "pcm_u8 rate=11025"),
    Case("g.avi", "dvvideo", f"pcm_s16le {DISC}", **DV | {"timecode": None}),
    Case("h.avi", "huffyuv pix_fmt=yuv422p", "adpcm_ms", kept="aac", notes=TO_AAC),
    Case("i.avi", "ffv1", "adpcm_ima_wav", kept="aac", notes=TO_AAC),
    Case("j.avi", "msmpeg4 q=2", "wmav2 b=128000", kept="aac", notes=TO_AAC),
    Case("k.avi", "rawvideo pix_fmt=yuv420p", "pcm_mulaw", kept="pcm_s16le", notes=TO_PCM),
    Case("l.avi", "utvideo", "pcm_alaw", kept="pcm_s16le", notes=TO_PCM, rate="12.5"),
    Case("m.avi", H264, "libmp3lame", result=".mp4", rate="24"),
    # Windows Media, Flash
    Case("a.wmv", "wmv2 q=2", "wmav2 b=128000", kept="aac", notes=TO_AAC, rate="24"),
    Case("b.wmv", "wmv1 q=2", "wmav1 b=128000", kept="aac", notes=TO_AAC),
    Case("c.asf", "msmpeg4 q=2", "libmp3lame"),
    Case("a.flv", "flv q=2", "libmp3lame rate=44100"),
    Case("b.flv", H264, "aac rate=44100", rate="24"),
    Case("c.flv", "flv q=2", "adpcm_swf rate=22050", kept="aac", notes=TO_AAC),
    Case("d.flv", "flashsv pix_fmt=bgr24", "nellymoser rate=22050", kept="aac", notes=TO_AAC),
    # MPEG, broadcasts, discs
    Case("a.vob", "mpeg2video q=2", f"pcm_dvd {DISC}", kept="pcm_s16le", notes=TO_PCM),
    Case("b.vob", "mpeg2video q=2 bf=2", "ac3"),
    Case("c.vob", "mpeg2video q=2", f"pcm_dvd {DISC} format=s32", kept="pcm_s24le", notes=TO_PCM_24),
    Case("c.mpg", "mpeg1video q=2 bf=2", "mp2"),
    Case("d.mpg", f"mpeg2video q=2 {FIELDS} first=upper", "mp2", notes=UPPER, fields="upper"),
    Case("e.mpg", f"mpeg2video q=2 {FIELDS} first=lower", "mp2", notes=LOWER, fields="lower"),
    Case("a.ts", H264, "aac"),
    Case("b.ts", "mpeg2video q=2 bf=2", "mp2", rate="30000/1001"),
    Case("c.ts", "libx265 crf=8 x265-params=log-level=none", "ac3"),
    Case("d.ts", H264, "s302m", kept="pcm_s16le", notes=TO_PCM),
    Case("e.m2ts", H264, f"pcm_bluray {DISC}", kept="pcm_s16le", notes=TO_PCM, rate="24"),
    Case("f.ts", H264, "aac", result=".mp4"),
    Case("g.mts", H264, "ac3", result=".mov"),
    # others
    Case("a.ogv", "libtheora", "libvorbis"),
    Case("b.ogv", "libvpx b=2000000", "flac"),
    Case("a.3gp", "h263 q=2", "aac", size=(176, 144)),
    Case("a.mxf", "mpeg2video q=2", "pcm_s16le rate=48000", timecode="02:00:00:00"),
    Case("a.dv", "dvvideo", f"pcm_s16le {DISC}", **DV),
]


def settings(words):
    """(name of an encoder, its options) of a case's words."""
    name, *options = words.split()
    found = dict(option.split("=", 1) for option in options)
    if "q" in found:
        found |= {"flags": f"{found.get('flags', '')}+qscale", "global_quality": str(118 * int(found.pop("q")))}
    return name, found


def numbers(case):
    """Of the frames, in units of the rate; uneven ones leave some out."""
    every = range(round(SECONDS * Fraction(case.rate or "25")))
    return [n for n in every if case.rate or (n % 7 != 2 and n % 11 != 3)]


def through(frame, name, argument):
    """What a filter of libav lets through of a frame."""
    graph = av.filter.Graph()
    size = {"width": frame.width, "height": frame.height}
    source = graph.add_buffer(**size, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add(name, argument), graph.add("buffersink")).configure()
    graph.vpush(frame)
    graph.vpush(None)
    try:
        return graph.vpull()
    except av.EOFError:
        return None


def pictures(case, pixel_format, first):
    """The frames: every one differs from all others."""
    for number in numbers(case):
        frame = av.VideoFrame.from_ndarray(luma(number, *case.size), "gray").reformat(format="yuv420p")
        frame = frame.reformat(format=pixel_format)
        frame.pts, frame.time_base = number, 1 / Fraction(case.rate or "25")
        yield through(frame, "setfield", {"upper": "tff", "lower": "bff"}[first]) if first else frame


def chirp(rate):
    """A tone that rises: nobody could take one of its moments for another."""
    t = np.arange(round(SECONDS * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 + 400 * t) * t)).astype(np.float32)


def is_unknown(encoder):
    try:
        av.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return True
    return False


def make(case, path):
    """Writes the film; by ffmpeg what libav has no encoder for here."""
    names = [words.split()[0] for words in (case.video, case.sound) if words]
    if any(map(is_unknown, names)):
        if not shutil.which("ffmpeg"):
            pytest.skip(f"no encoder of {' and '.join(names)} is installed (apt-get install ffmpeg)")
        plain = path.with_suffix(".nut")
        make(replace(case, video="ffv1", sound=case.sound and f"pcm_s16le {DISC}"), plain)
        encoders = ("-c:v", names[0], "-q:v", "8", "-c:a", names[1], "-strict", "-2")
        subprocess.run(["ffmpeg", "-v", "error", "-i", plain, *encoders, path], check=True)
        return
    codec, options = settings(case.video)
    pixel_format, first = options.pop("pix_fmt", "yuv420p"), options.pop("first", None)
    with av.open(str(path), "w") as container:
        rate = Fraction(case.rate or "25")
        video = container.add_stream(codec, rate, options)
        video.width, video.height = case.size
        video.pix_fmt, video.codec_context.time_base = pixel_format, 1 / rate
        if first:
            video.codec_context.field_order = {"upper": 4, "lower": 5}[first]
        if case.timecode:
            video.metadata["timecode"] = case.timecode
        sound, waves = add_sound(container, case.sound) if case.sound else (None, [])
        packets = [packet for frame in pictures(case, pixel_format, first) for packet in video.encode(frame)]
        packets += video.encode()
        packets += [packet for wave in waves for packet in sound.encode(wave)] + (sound.encode() if sound else [])
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)


def add_sound(container, words):
    """A stream of sound, and its frames."""
    codec, options = settings(words)
    rate, layout, form = int(options.pop("rate", 48_000)), options.pop("layout", "mono"), options.pop("format", None)
    stream = container.add_stream(codec, rate, options)
    stream.layout = layout
    if form:
        stream.format = form
    context = stream.codec_context
    context.open()
    whole = av.AudioFrame.from_ndarray(np.stack([chirp(rate)] * context.channels), "fltp", layout)
    whole.rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(context.format, layout, rate, frame_size=context.frame_size or 1024)
    return stream, [*resampler.resample(whole), *resampler.resample(None)]


def seen(path):
    """(times in seconds, Y, which field is first) of the frames."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = np.array([frame.time for frame in frames])
        marked = frames[5].interlaced_frame
        upper = marked and through(frames[5], "select", "eq(interlace_type\\,TOPFIRST)")
    if path.suffix == ".avi":
        # Its frames have no times but their places, by which they are shown; empty packets hold the one before.
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            times = np.array(sorted(float(packet.dts * packet.time_base) for packet in packets))
    return times, [lightness(frame) for frame in frames], ("upper" if upper else "lower") if marked else None


def lightness(frame):
    """Y with 16 bits, by the definitions of the pixel formats."""
    name = frame.format.name
    if name in ("rgb24", "bgr24"):
        red, green, blue = np.moveaxis(frame.to_ndarray().astype(float), -1, 0)[:: 1 if name == "rgb24" else -1]
        # ITU-R BT.601
        return 256 * (16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)
    bits = frame.format.components[0].bits
    values = np.frombuffer(frame.planes[0], np.uint16 if bits > 8 else np.uint8).reshape(frame.height, -1)
    packed = values[:, 1 : 2 * frame.width : 2] if name == "uyvy422" else values[:, : frame.width]
    return packed * 2.0 ** (16 - bits)


def heard(path, begin):
    """The sound from a time of the file on, at RATE, with silence where there is none."""
    sound, end = np.zeros(round(2 * SECONDS * RATE), np.float32), None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                place = (end or 0) if part.time is None else round((part.time - begin) * RATE)
                # Times are rounded, to milliseconds in many containers; what follows closely is one sound.
                place = end if end is not None and abs(place - end) < 0.02 * RATE else place
                end = place + part.samples
                if place >= 0:
                    sound[place:end] = part.to_ndarray()[0][: len(sound) - place]
    return sound


def find(wanted, sound, place):
    """(correlation, lag) of where a piece fits best within 0.15 s of a place."""
    reach, size = int(0.15 * RATE), len(wanted)
    near = np.pad(sound, reach)[place : place + size + 2 * reach].astype(np.float64)
    energy = np.cumsum(np.concatenate([[0], near**2]))
    strength = np.sqrt((energy[size:] - energy[:-size]).clip(1e-9)) * np.linalg.norm(wanted)
    fit = np.correlate(near, wanted) / strength
    return fit.max(), int(np.argmax(fit)) - reach


def check_sound(before, after):
    """The same to the ear, at the same time to 6 ms; and it is the tone that was made, as encoders delay it."""
    for place in (RATE // 4, RATE, int(1.6 * RATE)):
        wanted = before[place : place + RATE // 8]
        for sound, most in ((after, 0.006), (chirp(RATE), 0.1)):
            fit, lag = find(wanted, sound, place)
            assert fit > 0.97
            assert abs(lag) <= most * RATE


def of_streams(path):
    """(name, channels) of the sound, timecodes."""
    with av.open(str(path)) as container:
        sound = [(stream.codec.canonical_name, stream.codec_context.channels) for stream in container.streams.audio]
        holders = [container, *container.streams]
        return sound, {text for holder in holders for key, text in holder.metadata.items() if key.lower() == "timecode"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_films(case, tmp_path):
    film, result = tmp_path / case.name, tmp_path / f"result{case.result or same_container(tmp_path / case.name)}"
    make(case, film)
    report = colorize_film(Painter(), film, result, FilmOptions(crf=8, **case.options))
    assert report.damage == []
    assert len(report.notes) == len(case.notes), report.notes
    for pattern, note in zip(case.notes, report.notes, strict=True):
        assert re.search(pattern, note)
    # Frames and their times. What begins late is moved to the beginning, sound and frames together.
    (old, y, first), (times, made, kept) = seen(film), seen(result)
    made_at = np.array(numbers(case)) / float(Fraction(case.rate or "25"))
    assert len(times) == len(made_at) == report.frames
    close = 1.1e-3 if ".mkv" in (film.suffix, result.suffix) else 6e-4
    if film.suffix != ".avi":
        assert np.abs(times - times[0] - made_at).max() < close
    assert np.abs(times - times[0] - (old - old[0])).max() < close
    assert 0 <= times[0] < 0.1
    assert (first, kept) == (case.fields, case.fields)
    # Their lightness, of each frame.
    errors = [np.square(a - b).mean() for a, b in zip(y, made, strict=True)]
    assert 10 * np.log10(65535**2 / max(errors)) > case.psnr
    # Sound and timecode.
    (sounds, codes), (new_sounds, new_codes) = of_streams(film), of_streams(result)
    assert new_sounds == [(case.kept or name, channels) for name, channels in sounds]
    assert codes == new_codes == ({case.timecode} if case.timecode else set())
    assert len(sounds) == bool(case.sound)
    if case.sound:
        check_sound(heard(film, old[0]), heard(result, times[0]))
    if shutil.which("ffprobe"):
        check_by_ffprobe(result, times, new_sounds, case.fields)


def check_by_ffprobe(path, times, sounds, order):
    """Another version of libav finds the same in the result."""
    entries = "frame=best_effort_timestamp_time,media_type,interlaced_frame,top_field_first:stream=codec_name,channels"
    command = ["ffprobe", "-v", "quiet", "-of", "json", "-show_entries", entries, path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    shown = [frame for frame in found["frames"] if frame["media_type"] == "video"]
    assert np.abs([float(frame["best_effort_timestamp_time"]) for frame in shown] - times).max() < 1e-3
    assert {frame["interlaced_frame"] and 1 + frame["top_field_first"] for frame in shown} == {
        {None: 0, "lower": 1, "upper": 2}[order]
    }
    names = [(stream["codec_name"], stream["channels"]) for stream in found["streams"] if "channels" in stream]
    assert names == sounds
