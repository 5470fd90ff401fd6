"""What is sure of each of the 102 kinds of flowers, written down by hand: what its petals are like, in plain words.

The names are those of Oxford-102, its mistakes included ("watercress" is a nasturtium, "windflower" an anemone).
Words before the bar may stand before "petals" or after "petals that are"; those behind it are said of the whole
flower. A kind with nothing sure has no words.
"""

from functools import lru_cache

__all__ = ["FLOWER_KINDS", "Shape", "shape_of"]

Shape = tuple[tuple[str, ...], tuple[str, ...]]
"""Words for the petals; words for the whole flower."""

FLOWER_KINDS: dict[str, str] = {
    "pink primrose": "four, broad, rounded, thin | cup shaped",
    "hard-leaved pocket orchid": "broad, rounded | with a pouch shaped lip",
    "canterbury bells": "joined | bell shaped",
    "sweet pea": "ruffled, delicate, wavy | ",
    "english marigold": "many, long, narrow | daisy like, round",
    "tiger lily": "curled, pointed, spotted, long | with long stamens",
    "moon orchid": "broad, rounded, smooth | ",
    "bird of paradise": "long, pointed, upright | shaped like a bird's head",
    "monkshood": "hooded | shaped like a hood",
    "globe thistle": "spiky, thin, many | ball shaped, round",
    "snapdragon": "ruffled, joined | growing on a spike",
    "colt's foot": "many, thin, narrow | daisy like, round",
    "king protea": "pointed, many, stiff | large, crown shaped",
    "spear thistle": "thin, spiky, many | with a prickly base",
    "yellow iris": "drooping, long, broad | ",
    "globe-flower": "rounded, layered, overlapping | ball shaped, round",
    "purple coneflower": "long, narrow, drooping, many | daisy like, with a spiky raised centre",
    "peruvian lily": "streaked, spotted, six | ",
    "balloon flower": "five, pointed, joined | star shaped",
    "giant white arum lily": "one, smooth, curved, rolled | funnel shaped, with a yellow spadix",
    "fire lily": "wavy, curled, narrow, pointed | ",
    "pincushion flower": "ruffled, many, small | round, flat",
    "fritillary": "drooping, checkered | bell shaped, hanging",
    "red ginger": "waxy, layered, pointed | cone shaped",
    "grape hyacinth": "tiny, many, rounded | growing in a dense spike, with bells like grapes",
    "corn poppy": "thin, papery, broad, rounded | cup shaped",
    "prince of wales feathers": "tiny, feathery, fuzzy | plume shaped",
    "stemless gentian": "joined, pointed, five | trumpet shaped",
    "artichoke": "thin, spiky, many | with a scaly base",
    "sweet william": "fringed, five, small | growing in clusters",
    "carnation": "ruffled, frilly, many, fringed | round",
    "garden phlox": "five, rounded, flat | growing in clusters",
    "love in the mist": "pointed, many | with thread like leaves",
    "mexican aster": "broad, eight, flat | daisy like",
    "alpine sea holly": "spiky, prickly, thin | with spiky bracts",
    "ruby-lipped cattleya": "broad, ruffled, wavy | with a large lip",
    "cape flower": "long, narrow, wavy, curled, thin | growing in a cluster",
    "great masterwort": "tiny, pointed, many | with papery bracts, star shaped",
    "siam tulip": "layered, pointed | cone shaped",
    "lenten rose": "five, broad, rounded, overlapping | cup shaped",
    "barbeton daisy": "long, narrow, many | daisy like, round, flat",
    "daffodil": "six, pointed | trumpet shaped in the middle",
    "sword lily": "ruffled, broad, wavy | growing on a spike, funnel shaped",
    "poinsettia": "pointed, leaf like, large | star shaped",
    "bolero deep blue": "ruffled, broad, layered | cup shaped",
    "wallflower": "four, rounded, small | growing in clusters",
    "marigold": "ruffled, many, layered | round, ball shaped",
    "buttercup": "five, rounded, shiny | cup shaped",
    "oxeye daisy": "many, long, narrow | daisy like, round, flat",
    "common dandelion": "many, thin, narrow | round, flat",
    "petunia": "joined, soft, wavy | trumpet shaped, funnel shaped",
    "wild pansy": "five, rounded, velvety | with a face like pattern",
    "primula": "five, rounded, notched | growing in clusters",
    "sunflower": "many, long, pointed | large, round, with a big dark centre",
    "pelargonium": "five, rounded | growing in clusters",
    "bishop of llandaff": "rounded, overlapping, broad | ",
    "gaura": "four, narrow, delicate, small | with long stamens",
    "geranium": "five, rounded | growing in clusters",
    "orange dahlia": "many, layered, overlapping | round",
    "pink-yellow dahlia": "many, layered, overlapping, pointed | round",
    "cautleya spicata": "small, hooded | growing on a spike",
    "japanese anemone": "rounded, overlapping, broad | flat, cup shaped",
    "black-eyed susan": "many, long, narrow | daisy like, with a raised dark centre",
    "silverbush": "joined, rounded, soft | funnel shaped",
    "californian poppy": "four, broad, thin, silky | cup shaped",
    "osteospermum": "many, long, narrow | daisy like, flat",
    "spring crocus": "six, upright, rounded | cup shaped",
    "bearded iris": "ruffled, drooping, broad | with a fuzzy beard",
    "windflower": "broad, rounded | flat, open",
    "tree poppy": "thin, crinkled, broad, papery | with a large centre of many stamens",
    "gazania": "many, long, pointed, striped | daisy like, flat",
    "azalea": "five, pointed, wavy | funnel shaped, growing in clusters",
    "water lily": "many, pointed, layered, long | floating on water, star shaped",
    "rose": "layered, overlapping, soft, curled | ",
    "thorn apple": "joined, pointed, pleated | trumpet shaped, long",
    "morning glory": "joined, smooth, thin | trumpet shaped, funnel shaped",
    "passion flower": "ten, narrow, flat | with a ring of thin filaments",
    "lotus lotus": "large, pointed, layered, smooth | with a large round centre",
    "toad lily": "spotted, six, pointed | star shaped",
    "anthurium": "one, waxy, shiny, smooth | heart shaped, with a long spadix",
    "frangipani": "five, smooth, rounded, overlapping | pinwheel shaped",
    "clematis": "broad, pointed, flat | star shaped, open",
    "hibiscus": "five, large, broad, wavy | funnel shaped, with a long pistil",
    "columbine": "five, pointed | with long spurs",
    "desert-rose": "five, wavy | trumpet shaped",
    "tree mallow": "five, veined, broad | funnel shaped",
    "magnolia": "large, long, smooth, thick | cup shaped",
    "cyclamen": "upright, turned back, folded | hanging",
    "watercress": "five, rounded, soft | funnel shaped",
    "canna lily": "large, floppy, wavy | ",
    "hippeastrum": "six, large, pointed, broad | trumpet shaped",
    "bee balm": "thin, narrow, spiky, ragged | ",
    "ball moss": "tiny, joined | with thin grey leaves",
    "foxglove": "joined, spotted | bell shaped, hanging, growing on a spike",
    "bougainvillea": "papery, thin, three | with small white flowers inside",
    "camellia": "layered, rounded, overlapping | round",
    "mallow": "five, veined, notched | open",
    "mexican petunia": "five, joined, crinkled | trumpet shaped",
    "bromelia": "pointed, stiff | rosette shaped",
    "blanket flower": "many, toothed, flat | daisy like, round",
    "trumpet creeper": "joined, long | trumpet shaped, tube shaped",
    "blackberry lily": "six, spotted, narrow | star shaped",
}


@lru_cache(maxsize=128)
def shape_of(kind: str) -> Shape:
    """The words for a kind; none where it is not known.

    >>> shape_of("sunflower")
    (('many', 'long', 'pointed'), ('large', 'round', 'with a big dark centre'))
    """
    petals, _, whole = FLOWER_KINDS.get(kind, "").partition("|")
    return _split(petals), _split(whole)


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
