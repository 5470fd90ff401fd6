"""Write src/szem/tasks/classification/parents.tsv: which of ImageNet's 1,000 classes people call by one word.

The words are chosen here, by hand; which classes belong to a word is WordNet's answer (hypernyms), see its licence in
NOTICE. Needs WordNet 3.0 (Debian: `apt-get download wordnet-base`):

    python scripts/models/label_parents.py /usr/share/wordnet/data.noun
"""

import sys
from collections import defaultdict
from pathlib import Path

from szem.runtime.store import shipped_folder

OUT = Path(__file__).resolve().parents[2] / "src" / "szem" / "tasks" / "classification" / "parents.tsv"
# WordNet 3.0 offsets of nouns; several where the word's classes lie under more than one.
WORDS: dict[str, tuple[str, ...]] = {
    "animal": ("00015388",),
    "dog": ("02084071",),
    "terrier": ("02092468",),
    "hound": ("02087551",),
    "spaniel": ("02101108",),
    "poodle": ("02113335",),
    "cat": ("02121808",),
    "big cat": ("02127808",),
    "wolf": ("02114100",),
    "fox": ("02118333",),
    "bear": ("02131653",),
    "rabbit": ("02324045",),
    "rodent": ("02329401",),
    "pig": ("02395003",),
    "antelope": ("02419796",),
    "elephant": ("02503517",),
    "whale": ("02062744",),
    "monkey": ("02484322",),
    "ape": ("02470325",),
    "bird": ("01503061",),
    "bird of prey": ("01604330",),
    "duck": ("01846331",),
    "parrot": ("01816887",),
    "fish": ("02512053",),
    "shark": ("01482330",),
    "snake": ("01726692",),
    "lizard": ("01674464",),
    "turtle": ("01662784",),
    "frog": ("01639765",),
    "spider": ("01772222",),
    "insect": ("02159955",),
    "butterfly": ("02274259",),
    "beetle": ("02164464",),
    "crab": ("01976957",),
    "lobster": ("01982650",),
    "vehicle": ("04524313", "04019101"),
    "car": ("02958343",),
    "truck": ("04490091",),
    "bus": ("02924116",),
    "train": ("03684823", "02959942", "02917067"),
    "bicycle": ("02834778",),
    "boat": ("02858304", "04128837"),
    "ship": ("04194289",),
    "aircraft": ("02686568",),
    "furniture": ("03405725",),
    "chair": ("03001627",),
    "table": ("04379243",),
    "clothing": ("03051540",),
    "hat": ("03497657", "02954340"),
    "shoe": ("04199027",),
    "coat": ("03057021",),
    "swimsuit": ("04371563",),
    "tie": ("03815615",),
    "bag": ("02773037",),
    "bottle": ("02876657",),
    "box": ("02883344",),
    "ball": ("02778669",),
    "tool": ("04451818",),
    "weapon": ("04565375",),
    "gun": ("03467984",),
    "musical instrument": ("03800933",),
    "guitar": ("03467517",),
    "piano": ("03928116",),
    "clock": ("03046257",),
    "computer": ("03082979",),
    "telephone": ("04401088",),
    "camera": ("02942699",),
    "home appliance": ("03528263",),
    "cookware": ("03101986",),
    "bowl": ("02880940",),
    "helmet": ("03513137",),
    "mask": ("03725035",),
    "curtain": ("03151077",),
    "building": ("02913152", "03953416", "03544360"),
    "shop": ("04202417",),
    "bridge": ("02898711",),
    "fence": ("03327234",),
    "food": ("00021265", "07555863", "07705931", "07707451"),
    "fruit": ("07705931",),
    "vegetable": ("07707451",),
    "bread": ("07679356",),
    "dessert": ("07609840",),
    "drink": ("07881800",),
    "fungus": ("12992868",),
    "flower": ("11669921",),
    "mountain": ("09359803",),
}
# Classes that WordNet puts under a word, but nobody calls so.
EXCEPT = {
    "ball": {"04023962"},  # punching bag
    "bread": {"07871810"},  # meatloaf
    "computer": {"04238763", "06359193"},  # slide rule, website
    "truck": {"03770679"},  # minivan, which is a car here
    "wolf": {"02114855"},  # coyote
}


def main(data: Path) -> None:
    """Read WordNet, write the table."""
    above: dict[str, list[str]] = {}
    for line in data.read_text("latin-1").splitlines():
        if line.startswith("  "):
            continue
        parts = line.split(" | ")[0].split()
        first = 5 + 2 * int(parts[3], 16)
        pointers = (parts[first + 4 * n : first + 4 * n + 4] for n in range(int(parts[first - 1])))
        above[line[:8]] = [target for kind, target, *_ in pointers if kind in ("@", "@i")]
    below: dict[str, set[str]] = defaultdict(set)
    lines = (shipped_folder() / "efficientnet-lite0" / "labels.txt").read_text("utf-8").splitlines()
    leaves = [line.split("\t")[1][1:] for line in lines]
    for leaf in leaves:
        todo = [leaf]
        while todo:
            place = todo.pop()
            below[place].add(leaf)
            todo += above.get(place, ())
    rows = []
    for word, roots in WORDS.items():
        members = sorted(set().union(*(below[root] for root in roots)) - EXCEPT.get(word, set()))
        if len(members) < 2:
            raise SystemExit(f"{word}: {len(members)} classes; a word for one class needs no row")
        rows.append("\t".join([word, f"n{roots[0]}", *(f"n{member}" for member in members)]))
    OUT.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{OUT}: {len(rows)} words")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
