"""Where the photographs are from: one row a set, with its licence and on what that rests."""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

ATTRIBUTION = Path(__file__).with_name("coco_attribution.csv")
"""The pictures of COCO under free licences: file, licence, flickr_url, coco_url."""


@dataclass(frozen=True)
class Part:
    """The pictures of a set that are in one public repository of GitHub, at one commit.

    Attributes:
        repository: owner/name.
        commit: all 40 digits.
        folders: patterns of the paths wanted, as in a .gitignore.
        parents: folders above a picture that are part of its name.
        prefix: what its name begins with.
    """

    repository: str
    commit: str
    folders: tuple[str, ...]
    parents: int = 0
    prefix: str = ""

    def name(self, path: Path) -> str:
        """A picture's name in the pool, without extension, from its path in the repository."""
        return self.prefix + "_".join([*path.parts[:-1][len(path.parts) - 1 - self.parents :], path.stem])


@dataclass(frozen=True)
class Source:
    """A set of pictures.

    Attributes:
        name: what its pictures' names begin with in the data set, and what its folder is called in an archive.
        licence: under which it may be used.
        basis: where that is said.
        stated: whether a licence was read where the pictures were found; sets without are used only if asked for.
        parts: its repositories; none: it is in no repository.
        weight: how often one of its pictures is drawn in training, beside the others.
        left_out: names of pictures that are not taken.
        first: the lowest names that are taken, of those that are alike but for their number.
        border: share of each side that is cut off.
        thinned: (n, step): of the first n that are fit every step-th is taken; None: all are.
        remarks: what to know of its pictures.
    """

    name: str
    licence: str
    basis: str
    stated: bool = True
    parts: tuple[Part, ...] = ()
    weight: float = 1.0
    left_out: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()
    border: float = 0.0
    thinned: tuple[int, int] | None = None
    remarks: str = ""

    def takes(self, name: str) -> bool:
        """Whether a picture of this name in the pool, without extension, belongs to the set."""
        if self.name == COCO and name not in attribution():
            return False
        kind, _, _ = name.rpartition("_")
        return name not in self.left_out and all(name >= low for low in self.first if low.rpartition("_")[0] == kind)


COCO = "coco_ccby_bysa"

CCP = Source(
    "ccp",
    "Apache-2.0",
    "Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014), the repository's LICENSE",
    weight=1.5,
    remarks="whole persons, streets of the 2010s; labels and parsing by hand",
)
CCP_MORE = Source("ccpmore", CCP.licence, CCP.basis, remarks="further photographs of it, without labels and parsing")
FSA = Source(
    "fsa",
    "no known restrictions",
    "Library of Congress, FSA/OWI collection",
    weight=2.0,
    remarks="real colour photographs of 1939 to 1944, 150 pixels",
)
GIVEN = (CCP, CCP_MORE, FSA)
"""Those that are given as folders."""

_CALTECH = ("MachineLearning2020/Homework2-Caltech101", "836044dd000296b2bb74d0aa4b4e462e459b01d7")
_VOTEVIEW = ("voteview/member_photos", "687cf7a9212a445431ad7441d8bfd0b7bf297eff")

_OTHER_CATEGORIES = (
    "Faces Faces_easy Leopards Motorbikes airplanes brain brontosaurus car_side dollar_bill ewer garfield metronome "
    "scissors snoopy stapler stegosaurus tick trilobite wrench yin_yang"
)
"""Categories of Caltech 101 that are a set of their own, or not in the pool: drawings, gray ones, vehicles."""

POOL = (
    Source(
        "clothing_dataset_anyuse",
        "any use",
        "README: 'freely used for any purpose, including commercial' (CC0 at Kaggle, which the snapshot does not say)",
        parts=(
            Part("alexeygrigorev/clothing-dataset", "7ed86a9cc56763b6acb35e41cb35184e43a5d218", ("/images/*.jpg",)),
        ),
        thinned=(4600, 4),
        remarks="garments laid flat or hung, hardly any people",
    ),
    Source(
        COCO,
        "CC BY 2.0, CC BY-SA 2.0",
        "COCO's own licence ids, picture by picture",
        parts=(
            Part("lightly-ai/coco128_yolo", "6d6f7a059ea63efffdbe48aca2d52c04d4c510e9", ("*.jpg",), parents=1),
            Part("Obmutescence/COCO-MINI", "644f29e7c1d2eefd9c4412d39bc5b0ee6fd0afd4", ("*.jpg",), 1, "mini_"),
        ),
        remarks="everyday scenes, 43% with people",
    ),
    Source(
        "interfaces_cc0",
        "CC0",
        "README; CREDITS.md",
        parts=(Part("cjdowner/interfaces", "2166b2273fd050699e112e95a251f0519cce58c3", ("/1000 x 1000/*.jpg",)),),
        weight=1.5,
        remarks="portraits, varied skin and light",
    ),
    Source(
        "documerica_dvscripts_pd",
        "public domain",
        "US EPA, Documerica (US government; arXiv 2411.04659 says so of the collection, not this repository)",
        parts=(Part("distant-viewing/dvscripts", "3c567f7627aaaa7c4fde145e0657c4f3a3710d98", ("/img/documerica/",)),),
        weight=3.0,
        remarks="slides of the 1970s, many faded; 38% with people",
    ),
    Source(
        "prokudin_gorskii_pd",
        "public domain",
        "Library of Congress, about 1910; put together by a student",
        parts=(Part("rothyin/Prokudin-Gorskii", "06a86e0c5c8abb5b790fa43d0426b539be2852e2", ("/output/*.jpg",)),),
        weight=3.0,
        left_out=frozenset({"emir", "self_portrait"}),
        border=0.06,
        remarks="two that are looked at in trials are left out; some colour fringes",
    ),
    Source(
        "kodak24_unrestricted",
        "unrestricted use",
        "Kodak's True Color suite; said so in other lists of test pictures, not in the snapshot",
        parts=(Part("cszn/FFDNet", "e787f46df2f374ff3591186706229cb9a0591fea", ("/testsets/Kodak24/*.png",)),),
        remarks="scans of films, 33% with people",
    ),
    Source(
        "debian_wallpapers_photos",
        "GPL-2+ / CC-BY-4.0, CC-BY-SA-3.0/4.0, CC0",
        "debian/copyright of Debian's mate-backgrounds 1.26.0-1 and lomiri-wallpapers-16.04 20.04.0-2",
        remarks="nature, no people; drawings were left out by hand; in no repository, so only from a local copy",
    ),
    Source(
        "voteview_bioguide",
        "US government works, as far as known",
        "README: 'largely from public domain or government sources, constitutes fair use'",
        stated=False,
        parts=(Part(*_VOTEVIEW, ("/images/bio_guide/*.jpg",), parents=1),),
        first=("bio_guide_015052",),
        remarks="portraits of the US Congress, 99th and later; 175 pixels; some paintings",
    ),
    Source(
        "uk_mps",
        "CC BY 3.0, as far as known",
        "UK Parliament's portraits of 2017; the repository (MIT) only links the Parliament's page",
        stated=False,
        parts=(Part("globalroo/uk-mps", "b1c48f85c65fe4b79661de4913ad2b65e0ccc455", ("/public/images/*.jpeg",)),),
        weight=0.5,
        remarks="all before the same wall; 186 pixels",
    ),
    Source(
        "caltech101_faces",
        "CC BY 4.0, as far as known",
        "Caltech 101 at CaltechDATA; not in the snapshot",
        stated=False,
        parts=(Part(*_CALTECH, ("/101_ObjectCategories/Faces/",), parents=1),),
        remarks="27 persons, flash light",
    ),
    Source(
        "caltech101_web",
        "unclear",
        "collected from the web by Caltech 101",
        stated=False,
        parts=(
            Part(
                *_CALTECH,
                ("/101_ObjectCategories/", *(f"!/101_ObjectCategories/{name}/" for name in _OTHER_CATEGORIES.split())),
                parents=1,
            ),
        ),
        remarks="objects and animals, 5% people, some drawings; about 200 pixels",
    ),
    Source(
        "voteview_wiki",
        "mostly public domain, some CC; not recorded picture by picture",
        "from Wikipedia",
        stated=False,
        parts=(
            Part(*_VOTEVIEW, ("/images/wiki/*.jpg",), parents=1),
            Part(*_VOTEVIEW, ("/images/raw/manual/*.jpg",), parents=2),
        ),
        first=("wiki_014817", "raw_manual_021140"),
        remarks="portraits of the US Congress, 480 pixels",
    ),
)
"""The public sets, in the order in which of two like pictures the first is kept."""


def known_as(folder: str) -> str:
    """The name of a set whose folder's name may begin with how sure its licence is."""
    return folder.removeprefix("research_").removeprefix("likelyfree_")


@functools.cache
def attribution() -> dict[str, tuple[str, str]]:
    """Licence and address of each picture of COCO that is taken, by name without extension."""
    with ATTRIBUTION.open(encoding="utf-8", newline="") as lines:
        return {Path(row["file"]).stem: (row["licence"], row["flickr_url"]) for row in csv.DictReader(lines)}
