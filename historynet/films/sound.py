"""Sound that a container does not hold as it is: decoded, and encoded again as something that it holds."""

from collections.abc import Iterator
from fractions import Fraction

import av

_LOSSLESS = frozenset(
    {"flac", "alac", "ape", "tta", "wmalossless", "mlp", "truehd", "shorten", "wavpack", "tak", "als"}
)

_LOSSY_UP_TO = 128_000
"""Bits a second and channel: sound of more is kept without loss."""

_PCM = {"u8": "pcm_u8", "s16": "pcm_s16le", "s32": "pcm_s24le", "flt": "pcm_f32le", "dbl": "pcm_f64le"}
"""By the decoded samples' format. Those of 32 bits hold 24 at most: DVDs, Blu-rays and recorders have no more."""

_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What channels are that are only counted."""


def encoders(stream: av.AudioStream) -> tuple[str, ...]:
    """The encoders that suit a stream, the best first: PCM stays PCM, what is coarse becomes AAC, all else lossless.

    Args:
        stream: of the film; one without a decoder, or of which a damaged file does not say how fast it is, has none.
    """
    context = stream.codec_context
    if context is None or not context.sample_rate:
        return ()
    pcm = _PCM.get(context.format.name.removesuffix("p") if context.format else "", "pcm_s16le")
    pcm = (pcm, "pcm_s16le") if pcm != "pcm_s16le" else (pcm,)
    if context.name.startswith("pcm_") or context.name == "s302m":
        return pcm
    if context.name in _LOSSLESS or (context.bit_rate or 0) > _LOSSY_UP_TO * max(1, context.channels):
        return ("flac", "alac", *pcm)
    return ("aac", "flac", "alac", *pcm)


class Converter:
    """Adds a stream to a container and turns packets of the film into its packets.

    Args:
        container: opened to be written.
        source: the stream of the film.
        encoder: one of `encoders`.

    Attributes:
        stream: the one that is added.

    Raises:
        ValueError: if the container does not hold such a stream.
        av.FFmpegError: if it cannot be encoded so.
    """

    def __init__(self, container: av.container.OutputContainer, source: av.AudioStream, encoder: str):
        context = source.codec_context
        rate, channels = context.sample_rate, max(1, context.channels)
        if rate <= 0:
            raise ValueError("no rate of its samples is known")
        if encoder == "aac":
            rate = next((known for known in _AAC_RATES if known <= rate), _AAC_RATES[-1])
        self.stream = container.add_stream(encoder, rate)
        # A codec that has lost something loses more: half as many bits again, as far as they are of use.
        share = context.bit_rate / channels * 1.5 if context.bit_rate else 128_000
        if encoder == "aac":
            self.stream.bit_rate = round(channels * min(max(share, 64_000), 160_000) * min(1, rate / 44_100))
        target = self.stream.codec_context
        # Often a file says no more than how many channels there are.
        name = context.layout.name
        self._layout = _LAYOUTS.get(channels, name) if name.endswith("channels") else name
        target.layout = self._layout
        if encoder in ("flac", "alac"):
            fine = context.format.name.removesuffix("p") not in ("u8", "s16")
            target.format = {"flac": ("s16", "s32"), "alac": ("s16p", "s32p")}[encoder][fine]
        target.time_base = self.stream.time_base = Fraction(1, rate)
        target.open()
        self._graph: av.filter.Graph | None = None

    def __call__(self, packet: av.Packet | None, shift: Fraction = Fraction(0)) -> Iterator[av.Packet]:
        """The packets that one of the film makes; the last ones for None.

        Args:
            packet: of the film.
            shift: seconds by which the result begins later than the film.

        Raises:
            av.FFmpegError: if it cannot be decoded.
        """
        for frame in packet.decode() if packet else ():
            if frame.pts is not None:
                frame.pts -= round(shift / frame.time_base)
            if self._graph is None:
                self._graph = self._make_graph(frame)
            self._graph.push(frame)
            yield from self._encode()
        if packet is None and self._graph is not None:
            self._graph.push(None)
            yield from self._encode()
            yield from self.stream.encode(None)

    def _make_graph(self, frame: av.AudioFrame) -> av.filter.Graph:
        target = self.stream.codec_context
        graph = av.filter.Graph()
        form = {"format": frame.format, "layout": frame.layout, "time_base": frame.time_base}
        nodes = [graph.add_abuffer(sample_rate=frame.sample_rate, **form)]
        # Gaps become silence: an encoder would close them, and all behind would come too early.
        nodes.append(graph.add("aresample", "async=1:min_hard_comp=0.05"))
        formats = f"sample_fmts={target.format.name}:sample_rates={target.sample_rate}"
        nodes.append(graph.add("aformat", f"{formats}:channel_layouts={self._layout}"))
        nodes.append(graph.add("asetnsamples", f"n={target.frame_size or 1024}:p=0"))
        graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
        return graph

    def _encode(self) -> Iterator[av.Packet]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield from self.stream.encode(frame)
