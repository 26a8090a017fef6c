"""LPIPS (Zhang et al. 2018), by the lpips library, which brings PyTorch: an extra that need not be installed."""

import contextlib
import errno
import os
import pickle
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from historynet import extras
from historynet.errors import InputError
from historynet.parallel import CORES, map_ahead

if TYPE_CHECKING:
    import torch

Key = TypeVar("Key", bound=Hashable)

NETS = {"alex": "AlexNet", "vgg": "VGG16", "squeeze": "SqueezeNet1_1"}
"""What LPIPS can compare features of, and torchvision's names of their weights."""

VERSIONS = ("0.1", "0.0")
"""Of the linear weights that LPIPS was trained with."""

LEAST_SIDE = 32
"""Under this the deepest features of a picture have no pixels."""

_BATCH_PIXELS = {"cpu": 2**18, "cuda": 2**22}
"""Of a batch; on the CPU a larger one is no faster."""

_WAITING_PIXELS = 2**25
"""Of all pairs that wait for others of their size, about 200 MB; one pair can be larger."""


class Lpips:
    """The distance of two pictures in the features of a network that was trained to classify.

    A process that also needs TensorFlow makes one first: PyTorch 2.14 crashes if it is imported after TensorFlow 2.21.

    Args:
        net: one of NETS; published figures are mostly of "alex".
        version: one of VERSIONS, of the linear weights over the features.
        use_gpu: whether a GPU computes instead of the CPU.

    Raises:
        InputError: if the library or the network's weights are missing, there is no GPU, or not enough memory.
    """

    def __init__(self, net: str = "alex", version: str = "0.1", use_gpu: bool = False):
        try:
            import lpips
            import torch
            import torchvision
        except ImportError as error:
            raise InputError(
                f"LPIPS needs the lpips library and PyTorch ({error}): {extras.how_to_install('lpips')} (5.6 GB)"
            ) from error
        if use_gpu and not torch.cuda.is_available():
            raise InputError("--use_gpu: PyTorch found no GPU; leave the option out")
        self._name = f"LPIPS {version}, {net}"
        self._torch = torch
        self._device = "cuda" if use_gpu else "cpu"
        self._batch_pixels = _BATCH_PIXELS[self._device]
        # Batches run side by side instead: threads of one batch wait for each other, long if the machine is busy.
        torch.set_num_threads(1)
        with warnings.catch_warnings():
            # lpips 0.1.4 calls torchvision the old way.
            warnings.simplefilter("ignore", UserWarning)
            try:
                with self.enough_memory():
                    model = lpips.LPIPS(net=net, version=version, verbose=False).to(self._device)
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:  # not to be had, or damaged
                url = torchvision.models.get_model_weights(NETS[net].lower()).IMAGENET1K_V1.url
                folder = Path(torch.hub.get_dir()) / "checkpoints"
                raise InputError(
                    f"the weights of {NETS[net]} could not be loaded ({' '.join(str(error).split())}); fetch {url} and "
                    f"put it into {folder} (it follows the environment variable: TORCH_HOME/hub/checkpoints)"
                ) from error
        self._model = model.eval()

    def __str__(self) -> str:
        return self._name

    @contextlib.contextmanager
    def enough_memory(self) -> Iterator[None]:
        """Within it, too little memory becomes an error of ours: PyTorch's is a RuntimeError like any other.

        Raises:
            InputError: if there is not enough memory.
        """
        try:
            yield
        except (MemoryError, OSError, RuntimeError) as error:
            is_memory = isinstance(error, MemoryError | self._torch.cuda.OutOfMemoryError)
            if is_memory or os.strerror(errno.ENOMEM) in str(error):
                raise InputError(f"{self}: there is not enough memory") from error
            raise

    def distances(self, pairs: Iterable[tuple[Key, np.ndarray, np.ndarray]]) -> Iterator[tuple[Key, float]]:
        """Measures pairs in batches of one size.

        Args:
            pairs: (key, picture, picture) each; the pictures are uint8 RGB (height, width, 3) of one size.

        Yields:
            (key, distance) of each pair, not in the order of the pairs. The distance of equal pictures is 0; that of
            pictures with a side under 32 pixels is NaN.

        Raises:
            InputError: if there is not enough memory.
        """
        for distances in map_ahead(self._measure, self._batches(pairs), ahead=CORES):
            yield from distances

    def distance(self, pictures: "torch.Tensor", others: "torch.Tensor") -> "torch.Tensor":
        """The same of tensors, with a gradient: RGB in 0..1 (pictures, 3, height, width) -> (pictures,)."""
        return self._model(pictures, others, normalize=True).flatten()

    def _batches(self, pairs: Iterable[tuple[Key, np.ndarray, np.ndarray]]) -> Iterator[list[tuple]]:
        """Lists of pairs of one size."""
        waiting = defaultdict(list)
        for pair in pairs:
            size = pair[1].shape
            waiting[size].append(pair)
            if (len(waiting[size]) + 1) * size[0] * size[1] > self._batch_pixels:
                yield waiting.pop(size)
            pixels = {size: len(batch) * size[0] * size[1] for size, batch in waiting.items()}
            if sum(pixels.values()) > _WAITING_PIXELS:
                yield waiting.pop(max(pixels, key=pixels.get))
        yield from waiting.values()

    def _measure(self, pairs: list[tuple[Key, np.ndarray, np.ndarray]]) -> list[tuple[Key, float]]:
        keys, true, pictures = zip(*pairs, strict=True)
        if min(true[0].shape[:2]) < LEAST_SIDE:
            return [(key, float("nan")) for key in keys]
        with self.enough_memory(), self._torch.inference_mode():
            distances = self._model(self._tensor(true), self._tensor(pictures)).flatten().tolist()
        return list(zip(keys, distances, strict=True))

    def _tensor(self, pictures: Iterable[np.ndarray]):
        """As the network takes them: float32 (pictures, 3, height, width), -1..1."""
        batch = self._torch.from_numpy(np.stack(pictures)).to(self._device)
        return batch.permute(0, 3, 1, 2).float() / 127.5 - 1
