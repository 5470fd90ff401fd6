"""The pictures of README and docs: which there are, who makes each, and a digest of what each one shows.

`pictures.py` makes them and records the digests in docs/pictures/made.json; `tests/docs/test_pictures.py` compares,
so a picture that is older than what it shows is noticed without drawing anything. A digest is of what can be seen:
the declarations of the style sheets, the structure of the page's modules (renaming changes nothing), the texts of the
language, the lecture, the samples and the networks. Knows nothing of browsers.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
RECORD = PICTURES / "made.json"
STUDIO = ROOT / "src" / "szem" / "studio"
WEIGHTS = ROOT / "src" / "szem" / "weights"
SHARED_SHEETS = {"szem", "controls", "stage", "answers", "video", "lab", "lecture"}

LAPTOP, DESKTOP, PHONE = (1366, 768), (1440, 900), (390, 844)
DRAWN = ".stage[data-drawn]"
ANSWERED = "main[data-answered]"
TIMED = "[data-fact=time]"
LENS = "[data-name=lens][data-ready]"
SAID = ".said[data-complete]"
ANALYSED = "[data-name=film-state][data-state=done]"
RULES = """# What is reported of the yard.
[zones]
yard = [[0.03, 0.25], [0.97, 0.25], [0.97, 0.97], [0.03, 0.97]]

[[rules]]
name = "something was left"
events = ["left behind", "removed"]
zones = ["yard"]

[[rules]]
name = "siren or shot"
events = ["siren", "gun shot"]
"""
ATROUS = (("scroll", "#atrous-title"), ("wait", ".atrous-marks .tap"))
TRAIN = (("click", "[data-name=train]"), ("wait", "[data-name=progress][data-done]"))
BAG = (("wait", ANALYSED), ("seek", "[data-name=film-video]", 23.0))
DETECTED = (("wait", "[data-name=things] li"),)


@dataclass(frozen=True)
class Shot:
    """One picture of the studio."""

    name: str
    address: str
    size: tuple[int, int] = DESKTOP
    ready: str = "main"
    kept_px: int = 0  # height that is kept; 0: the screen's
    part: str = ""  # the element that is photographed alone
    steps: tuple[tuple[object, ...], ...] = ()

    @property
    def page(self) -> str:
        """The page that is shown."""
        return self.address.partition("?")[0]

    @property
    def lang(self) -> str:
        """Its language."""
        return parse_qs(self.address.partition("?")[2]).get("lang", ["en"])[0]


SHOTS = (
    Shot("studio-start-light-en", "start", ready=LENS, kept_px=860),
    Shot("studio-start-dark-hu", "start?lang=hu&theme=dark", ready=LENS, kept_px=2700),
    Shot("studio-kernels-light-en", "kernels?kernel=sobel-x&view=signed&at=231,152", (1440, 1100), DRAWN),
    Shot("studio-kernels-dark-hu", "kernels?kernel=sharpen&picture=cat&lang=hu&theme=dark", (1440, 1400), DRAWN),
    Shot("studio-kernels-edges", "kernels?mode=edges&view=beside&picture=coffee", (1440, 980), DRAWN),
    Shot("studio-neuron-light-en", "neuron", (1440, 1000), ".neuron-drawing text"),
    Shot("studio-stride-light-en", "stride", (1440, 1100), "[data-name=said] output"),
    Shot("studio-triangle-light-en", "triangle", DESKTOP, ".tri-answer output"),
    Shot("network-map", "network?picture=cat", (1440, 1150), TIMED),
    Shot(
        "network-layer", "network?picture=cat&layer=8&order=likeness&map=45", (1440, 1500), TIMED, part=".layer-panel"
    ),
    Shot(
        "network-neuron",
        "network?picture=cat&layer=12&map=24&at=12,9",
        (1440, 1500),
        TIMED,
        part=".layer-panel",
        steps=(("click", "[data-name=find-strongest]"), ("wait", ".patches li")),
    ),
    Shot(
        "network-heat",
        "network?picture=cat",
        DESKTOP,
        TIMED,
        part=".heat-shelf",
        steps=(("scroll", ".heat-shelf"), ("wait", "[data-name=heat] canvas")),
    ),
    Shot("network-dark-hu", "network?picture=coffee&layer=12&lang=hu&theme=dark", DESKTOP, TIMED),
    Shot(
        "network-phone",
        "network?picture=cat&layer=20",
        PHONE,
        TIMED,
        steps=(("scroll", "[data-name=neurons]"), ("hover", "[data-name=neurons] canvas")),
    ),
    Shot("studio-recognise-light-en", "recognise?picture=coffee", ready=".label-row"),
    Shot(
        "studio-recognise-dark-hu", "recognise?picture=cat&over=crop&ratio=2&lang=hu&theme=dark", ready=".label-row"
    ),
    Shot("studio-detect-light-en", "detect", steps=DETECTED),
    Shot("studio-detect-dark-hu", "detect?lang=hu&theme=dark", steps=DETECTED),
    Shot(
        "studio-segment-light-en",
        "segment?picture=cat",
        ready=ANSWERED,
        steps=(("hover", "[data-name=picture] canvas"),),
    ),
    Shot(
        "studio-segment-box",
        "segment?picture=astronaut&mode=box",
        ready=ANSWERED,
        steps=(("drag", "[data-name=picture] canvas", (0.2, 0.04, 0.83, 0.98)),),
    ),
    Shot("studio-segment-dark-hu", "segment?picture=astronaut&lang=hu&theme=dark", ready=ANSWERED, steps=ATROUS),
    Shot("studio-segment-atrous", "segment?picture=cat&at=0.25,0.35", (1440, 700), ANSWERED, steps=ATROUS),
    Shot("studio-lips-light-en", "lips", (1440, 1000), ".pair-mouths"),
    Shot("studio-lips-dark-hu", "lips?lang=hu&theme=dark", (1440, 1000), ".pair-mouths"),
    Shot("studio-guard-light-en", "guard", (1440, 960), steps=BAG),
    Shot(
        "studio-guard-rules",
        "guard",
        (1440, 960),
        part="#guard-rules",
        steps=(("rest", "", 2.0), ("fill", "[data-name=rules-text]", RULES), ("rest", "", 2.0)),
    ),
    Shot("lecture-events", "guard", (1440, 960), part=".guard-try", steps=BAG),
    Shot("studio-caption-light-en", "caption?picture=coffee&guess=1&word=1", ready=SAID),
    Shot("studio-caption-dark-hu", "caption?picture=cat&lang=hu&theme=dark", ready=SAID),
    Shot("studio-draw-light-en", "draw?seed=7", (1440, 1000), "[data-name=influence] .influence-word"),
    Shot("studio-search-light-en", "search"),
    Shot("studio-handout-light-en", "handout"),
    Shot("studio-presenter-hu", "kernels?step=4&present=1&lang=hu", LAPTOP, DRAWN),
    Shot("studio-phone-start", "start", PHONE, LENS),
    Shot("studio-phone-kernels", "kernels?kernel=emboss", PHONE, DRAWN, kept_px=1500),
    Shot("studio-phone-recognise", "recognise?picture=cat", PHONE, ".label-row", kept_px=1100),
    Shot("studio-phone-segment", "segment?picture=cat", PHONE, ANSWERED, kept_px=1100),
    Shot("studio-phone-detect", "detect", PHONE, kept_px=1100, steps=DETECTED),
    Shot("lecture-triangle-en", "triangle", DESKTOP, ".tri-answer output", part=".tri-stage"),
    Shot("lecture-triangle-hu", "triangle?lang=hu", DESKTOP, ".tri-answer output", part=".tri-stage"),
    Shot("lecture-learned-en", "triangle", DESKTOP, "[data-name=train]", part="section.train", steps=TRAIN),
    Shot("lecture-learned-hu", "triangle?lang=hu", DESKTOP, "[data-name=train]", part="section.train", steps=TRAIN),
)

# Pictures that are older than what they show, or were not taken yet: whoever takes them removes them here.
OVERDUE: frozenset[str] = frozenset()

# Page -> the networks whose answers it shows.
NETWORKS = {
    "stride": ("efficientnet-lite0",),
    "network": ("efficientnet-lite0",),
    "recognise": ("efficientnet-lite0",),
    "detect": ("detect",),
    "segment": ("things", "road", "outline"),
    "lips": ("lipwords", "lipread"),
    "guard": ("detect", "yamnet"),
    "caption": ("caption", "detect", "efficientnet-lite0"),
    "draw": ("draw", "caption"),
}

LECTURE = ("pixels", "kernels", "normalise", "edges", "neurons", "depth", "stride", "pooling", "locality", "atrous")
LECTURE += ("recognise", "boxes", "masks", "draw", "caption")
# Program beside this one -> the beginnings of its pictures' names, the networks whose answers they show.
PROGRAMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "classify_pictures": (("classify-",), ("efficientnet-lite0",)),
    "faces_pictures": (("faces-",), ("faces",)),
    "kernels_pictures": (("kernels-",), ()),
    "lecture_pictures": (
        tuple(f"lecture-{name}." for name in LECTURE),
        ("efficientnet-lite0", "detect", "outline", "draw", "caption"),
    ),
    "look_pictures": (("look-",), ("efficientnet-lite0", "detect", "things", "outline", "caption")),
    "caption_pictures": (("caption-",), ("caption", "detect", "efficientnet-lite0")),
    "generate_pictures": (("generate-",), ("draw",)),
    "detect_pictures": (("detect-moving.",), ("detect",)),
    "watch_pictures": (("watch-scenes.",), ()),
}
# Numbers that were measured on labelled data, and the program that measures and draws them: whoever measures again
# draws again. The last is one of the bundled pictures, drawn by the program of the diagram beside it.
MEASURED = {
    "detect-reliability.png": "detect_reliability",
    "events-fusion.png": "fusion_bench",
    "lipread-noise.png": "lipread_pictures",
    "lipread-study.png": "lipread_pictures",
    "listen-confusion.png": "listen_pictures",
    "detect-cat.jpg": "detect_reliability",
}


def digest_of_shot(shot: Shot) -> str:
    """A digest of what a picture of the studio shows."""
    parts = [repr((shot.address, shot.size, shot.kept_px, shot.part, shot.steps))]
    parts += [_declarations(path) for path in sorted((STUDIO / "css").glob("*.css")) if _holds(path.stem, shot.page)]
    parts += [_structure(path) for path in sorted((STUDIO / "js" / shot.page).glob("*.js"))]
    texts = json.loads((STUDIO / "i18n" / f"{shot.lang}.json").read_text(encoding="utf-8"))
    menu = re.compile(r"page\.\w+\.nav")
    beginnings = (f"{shot.page}.", f"page.{shot.page}.", "site.", "lecture.")
    parts.append(
        json.dumps(sorted(text for key, text in texts.items() if key.startswith(beginnings) or menu.match(key)))
    )
    parts.append((STUDIO / "lecture" / f"{shot.lang}.json").read_text(encoding="utf-8"))
    if shot.page in ("detect", "segment", "lips", "guard"):
        parts += [
            hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((STUDIO / "samples").glob("*.mp4"))
        ]
    return _digest([*parts, *_networks(NETWORKS.get(shot.page, ()))])


def digest_of_program(name: str) -> str:
    """A digest of what the pictures of a program show: the program and the networks."""
    return _digest([_structure(ROOT / "docs" / "tools" / f"{name}.py"), *_networks(PROGRAMS[name][1])])


def expected() -> dict[str, str]:
    """File name -> digest, of all pictures there are but those of measured numbers."""
    made = {f"{shot.name}.jpg": digest_of_shot(shot) for shot in SHOTS}
    for program, (beginnings, _) in PROGRAMS.items():
        digest = digest_of_program(program)
        made |= {path.name: digest for path in sorted(PICTURES.iterdir()) if path.name.startswith(beginnings)}
    return made


def recorded() -> dict[str, str]:
    """File name -> the digest at the time it was made."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def _holds(sheet: str, page: str) -> bool:
    own = {"kernel": "kernels"}.get(sheet.split("-")[0], sheet.split("-")[0])
    return sheet in SHARED_SHEETS or own == page


def _declarations(path: Path) -> str:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"\s+", " ", found) for found in re.findall(r"[\w-]+:[^;{}]+(?=[;}])", text))


def _structure(path: Path) -> str:
    """A program with every name and text taken as one letter: what is left changes when what it does changes."""
    text = re.sub(
        r"/\*.*?\*/|//[^\n]*|\"\"\".*?\"\"\"|^import[^;\n]*",
        "",
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"|[A-Za-z_$][\w$]*', "x", text)
    return re.sub(r"\s+|,(?=\s*[)\]}])", "", text)


def _networks(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        card = json.loads((WEIGHTS / name / "card.json").read_text(encoding="utf-8"))
        yield json.dumps(
            [name, card.get("sha256"), card.get("parts"), card.get("thresholds"), card.get("calibration")]
        )


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
