"""Which objects the words of a sentence name: the 80 classes of COCO with their synonyms, and ImageNet's labels as
common nouns.

Source: the synonyms follow A. Rohrbach et al., Object Hallucination in Image Captioning, 2018, arXiv:1809.02156,
section 3.1, with plurals added and words that mean something else in a caption left out ("orange" is a colour).
This file does not know about pictures or networks.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

__all__ = ["GENDERED", "NAMES", "common_noun", "named_classes", "plural_of", "words_of_class"]

# Class -> words that name it. Two-word names come first where one of their words alone names another class.
_SYNONYMS = {
    "person": """
        person people man men woman women boy boys girl girls child children kid kids baby babies toddler toddlers
        infant guy guys lady ladies gentleman gentlemen male males female females adult adults teenager teenagers
        player players rider riders skier skiers snowboarder snowboarders skater skaters skateboarder skateboarders
        surfer surfers biker bikers cyclist cyclists bicyclist bicyclists worker workers chef chefs officer officers
        policeman policemen soldier soldiers cowboy cowboys bride groom student students driver pedestrian pedestrians
        crowd climber climbers hiker hikers runner runners swimmer swimmers dancer dancers fisherman catcher batter
        pitcher referee team friends couple family spectators motorcyclist
        """,
    "bicycle": "bicycle bicycles bike bikes tricycle unicycle",
    "car": "car cars automobile automobiles van vans minivan sedan suv taxi taxis cab jeep limousine",
    "motorcycle": "motorcycle motorcycles motorbike motorbikes scooter scooters moped mopeds",
    "airplane": "airplane airplanes plane planes aircraft jet jets airliner jetliner biplane",
    "bus": "bus buses minibus",
    "train": "train trains locomotive tram trolley",
    "truck": "truck trucks lorry pickup firetruck",
    "boat": """
        boat boats ship ships sailboat sailboats motorboat speedboat canoe canoes kayak kayaks yacht rowboat raft
        ferry barge tugboat
        """,
    "traffic light": "traffic-light stoplight stoplights",
    "fire hydrant": "hydrant hydrants",
    "stop sign": "",
    "parking meter": "",
    "bench": "bench benches pew",
    "bird": """
        bird birds ostrich owl owls seagull seagulls gull gulls goose geese duck ducks parrot parrots pigeon pigeons
        swan swans eagle hawk flamingo flamingos pelican heron rooster hen chicken chickens crow sparrow robin peacock
        hummingbird penguin penguins turkey finch stork ducklings
        """,
    "cat": "cat cats kitten kittens kitty tabby feline",
    "dog": """
        dog dogs puppy puppies pup beagle chihuahua dachshund rottweiler canine collie pug terrier poodle labrador
        retriever doberman spaniel bulldog sheepdog corgi greyhound greyhounds hound husky shepherd
        """,
    "horse": "horse horses pony ponies colt foal stallion mare bronco",
    "sheep": "sheep lamb lambs ram ewe",
    "cow": "cow cows cattle bull bulls calf calves ox oxen",
    "elephant": "elephant elephants",
    "bear": "bear bears panda pandas",
    "zebra": "zebra zebras",
    "giraffe": "giraffe giraffes",
    "backpack": "backpack backpacks rucksack knapsack",
    "umbrella": "umbrella umbrellas parasol",
    "handbag": "handbag handbags purse purses",
    "tie": "tie ties necktie",
    "suitcase": "suitcase suitcases luggage",
    "frisbee": "frisbee frisbees",
    "skis": "ski skis",
    "snowboard": "snowboard snowboards",
    "sports ball": "ball balls football basketball volleyball baseball",
    "kite": "kite kites",
    "baseball bat": "bat bats",
    "baseball glove": "mitt",
    "skateboard": "skateboard skateboards",
    "surfboard": "surfboard surfboards bodyboard wakeboard",
    "tennis racket": "racket rackets racquet",
    "bottle": "bottle bottles",
    "wine glass": "wineglass wineglasses",
    "cup": "cup cups mug mugs",
    "fork": "fork forks",
    "knife": "knife knives",
    "spoon": "spoon spoons",
    "bowl": "bowl bowls",
    "banana": "banana bananas",
    "apple": "apple apples",
    "sandwich": "sandwich sandwiches burger hamburger cheeseburger",
    "orange": "oranges",
    "broccoli": "broccoli",
    "carrot": "carrot carrots",
    "hot dog": "hotdog hotdogs",
    "pizza": "pizza pizzas",
    "donut": "donut donuts doughnut doughnuts",
    "cake": "cake cakes cupcake cupcakes",
    "chair": "chair chairs stool stools",
    "couch": "couch couches sofa loveseat",
    "potted plant": "houseplant",
    "bed": "bed beds",
    "dining table": "table tables desk desks",
    "toilet": "toilet toilets urinal",
    "tv": "tv television televisions monitor monitors",
    "laptop": "laptop laptops computer computers",
    "mouse": "",
    "remote": "remote remotes",
    "keyboard": "keyboard keyboards",
    "cell phone": "cellphone cellphones phone phones smartphone",
    "microwave": "microwave microwaves",
    "oven": "oven ovens stove stoves",
    "toaster": "toaster",
    "sink": "sink sinks",
    "refrigerator": "refrigerator refrigerators fridge",
    "book": "book books",
    "clock": "clock clocks",
    "vase": "vase vases",
    "scissors": "scissors",
    "teddy bear": "teddy teddies",
    "hair drier": "hairdryer",
    "toothbrush": "toothbrush toothbrushes",
}
NAMES: tuple[str, ...] = tuple(_SYNONYMS)
"""The 80 classes, in COCO's order."""

_PAIRS = {
    ("traffic", "light"): "traffic light",
    ("traffic", "lights"): "traffic light",
    ("traffic", "signal"): "traffic light",
    ("stop", "light"): "traffic light",
    ("fire", "hydrant"): "fire hydrant",
    ("stop", "sign"): "stop sign",
    ("parking", "meter"): "parking meter",
    ("parking", "meters"): "parking meter",
    ("wine", "glass"): "wine glass",
    ("wine", "glasses"): "wine glass",
    ("hot", "dog"): "hot dog",
    ("hot", "dogs"): "hot dog",
    ("teddy", "bear"): "teddy bear",
    ("teddy", "bears"): "teddy bear",
    ("stuffed", "bear"): "teddy bear",
    ("potted", "plant"): "potted plant",
    ("potted", "plants"): "potted plant",
    ("computer", "mouse"): "mouse",
    ("hair", "dryer"): "hair drier",
    ("hair", "drier"): "hair drier",
    ("baseball", "bat"): "baseball bat",
    ("baseball", "glove"): "baseball glove",
    ("baseball", "player"): "person",
    ("baseball", "players"): "person",
    ("baseball", "game"): "",
    ("basketball", "court"): "",
    ("basketball", "player"): "person",
    ("football", "player"): "person",
    ("football", "players"): "person",
    ("tennis", "racket"): "tennis racket",
    ("ski", "lift"): "",
    ("ski", "slope"): "",
    ("car", "seat"): "",
    ("toy", "car"): "",
    ("boat", "dock"): "",
    ("train", "station"): "",
    ("train", "tracks"): "",
    ("bus", "stop"): "",
    ("cell", "phone"): "cell phone",
    ("cell", "phones"): "cell phone",
    ("dining", "table"): "dining table",
    ("dirt", "bike"): "motorcycle",
    ("dirt", "bikes"): "motorcycle",
    ("motor", "bike"): "motorcycle",
}

GENDERED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "person": (
        ("man", "guy", "gentleman", "male", "father", "dad", "son", "groom", "cowboy", "policeman", "fisherman"),
        ("woman", "lady", "female", "mother", "mom", "daughter", "bride"),
    ),
    "people": (("men", "guys", "gentlemen", "males"), ("women", "ladies", "females")),
    "child": (("boy",), ("girl",)),
    "children": (("boys",), ("girls",)),
}
"""Neutral word -> (its words for the one sex, for the other)."""

# First WordNet id of a run of ImageNet classes -> their common noun ("" for classes that keep their own label). The
# ids of the 1,000 classes are sorted as WordNet has them, so that animals of a kind follow each other.
_RUNS = (
    ("n01440764", "fish"),
    ("n01514668", "bird"),
    ("n01629819", "salamander"),
    ("n01641577", "frog"),
    ("n01664065", "turtle"),
    ("n01675722", "lizard"),
    ("n01697457", "crocodile"),
    ("n01704323", "dinosaur"),
    ("n01728572", "snake"),
    ("n01768244", ""),
    ("n01773157", "spider"),
    ("n01776313", ""),
    ("n01795545", "bird"),
    ("n01871265", "elephant"),
    ("n01872401", ""),
    ("n01978287", "crab"),
    ("n01983481", "lobster"),
    ("n01986214", "crab"),
    ("n01990800", ""),
    ("n02002556", "bird"),
    ("n02062744", "whale"),
    ("n02074367", ""),
    ("n02085620", "dog"),
    ("n02114367", "wolf"),
    ("n02115641", "dog"),
    ("n02117135", ""),
    ("n02119022", "fox"),
    ("n02123045", "cat"),
    ("n02125311", ""),
    ("n02132136", "bear"),
    ("n02137549", ""),
    ("n02165105", "beetle"),
    ("n02190166", ""),
    ("n02276258", "butterfly"),
    ("n02317335", ""),
    ("n02325366", "rabbit"),
    ("n02342885", ""),
    ("n02389026", "horse"),
    ("n02391049", "zebra"),
    ("n02395406", "pig"),
    ("n02398521", ""),
    ("n02403003", "cow"),
    ("n02412080", "sheep"),
    ("n02417914", "goat"),
    ("n02422106", "antelope"),
    ("n02437312", ""),
    ("n02480495", "monkey"),
    ("n02504013", "elephant"),
    ("n02509815", "bear"),
    ("n02514041", "fish"),
    ("n02666196", ""),
)
_STARTS = [start for start, _ in _RUNS]
# Labels of objects -> the noun people use; those that are left out are no nouns for a sentence.
_OBJECT_NOUNS = {
    "acoustic guitar": "guitar",
    "electric guitar": "guitar",
    "airliner": "airplane",
    "military aircraft": "airplane",
    "ambulance": "ambulance",
    "backpack": "backpack",
    "balloon": "balloon",
    "bathtub": "bathtub",
    "bookcase": "bookcase",
    "canoe": "boat",
    "speedboat": "boat",
    "catamaran": "boat",
    "schooner": "boat",
    "yawl": "boat",
    "trimaran": "boat",
    "container ship": "ship",
    "ocean liner": "ship",
    "castle": "castle",
    "church": "church",
    "coffee mug": "cup",
    "tea cup": "cup",
    "espresso": "cup of coffee",
    "computer keyboard": "keyboard",
    "convertible": "car",
    "sports car": "car",
    "race car": "race car",
    "station wagon": "car",
    "minivan": "car",
    "limousine": "car",
    "jeep": "car",
    "taxicab": "taxi",
    "drum": "drum",
    "fire truck": "fire truck",
    "fountain": "fountain",
    "accordion": "accordion",
    "analog clock": "clock",
    "wall clock": "clock",
    "digital clock": "clock",
    "grand piano": "piano",
    "upright piano": "piano",
    "laptop computer": "laptop",
    "notebook computer": "laptop",
    "lighthouse": "lighthouse",
    "missile": "rocket",
    "projectile": "rocket",
    "mobile phone": "phone",
    "mountain bike": "bicycle",
    "tandem bicycle": "bicycle",
    "parachute": "parachute",
    "pickup truck": "truck",
    "tow truck": "truck",
    "garbage truck": "truck",
    "semi-trailer truck": "truck",
    "moving van": "truck",
    "pier": "pier",
    "red wine": "glass of wine",
    "refrigerator": "refrigerator",
    "sailboat": "boat",
    "school bus": "school bus",
    "minibus": "bus",
    "trolleybus": "bus",
    "space shuttle": "space shuttle",
    "steam locomotive": "train",
    "electric locomotive": "train",
    "high-speed train": "train",
    "railroad car": "train",
    "freight car": "train",
    "tram": "tram",
    "suspension bridge": "bridge",
    "through arch bridge": "bridge",
    "viaduct": "bridge",
    "tent": "tent",
    "teapot": "teapot",
    "television": "television",
    "tractor": "tractor",
    "umbrella": "umbrella",
    "vase": "vase",
    "violin": "violin",
    "windmill": "windmill",
    "waterfall": "waterfall",
    "mountain": "mountain",
    "cliff": "cliff",
    "volcano": "volcano",
    "geyser": "geyser",
    "lakeshore": "lake",
    "beach": "beach",
    "valley": "valley",
    "daisy": "flower",
    "yellow lady's slipper": "flower",
    "strawberry": "strawberry",
    "pineapple": "pineapple",
    "banana": "banana",
    "orange": "orange",
    "lemon": "lemon",
    "Granny Smith apple": "apple",
    "pizza": "pizza",
    "hot dog": "hot dog",
    "cheeseburger": "burger",
    "ice cream": "ice cream",
    "broccoli": "broccoli",
    "mushroom": "mushroom",
    "couch": "couch",
    "four-poster bed": "bed",
    "park bench": "bench",
    "traffic light": "traffic light",
    "street sign": "street sign",
    "teddy bear": "teddy bear",
    "washing machine": "washing machine",
    "sewing machine": "sewing machine",
    "microwave oven": "microwave",
    "toaster": "toaster",
    "wine bottle": "bottle",
    "beer bottle": "bottle",
    "water bottle": "bottle",
    "soda bottle": "bottle",
    "motor scooter": "scooter",
    "snowmobile": "snowmobile",
    "golf cart": "golf cart",
    "dog sled": "dog sled",
    "submarine": "submarine",
    "airship": "airship",
}


def common_noun(label: str, label_id: str = "") -> str:
    """The noun people use for one of ImageNet's 1,000 classes; empty where it has none.

    Args:
        label: The class's name.
        label_id: Its WordNet id, by which animals are known.

    >>> common_noun("tabby cat", "n02123045"), common_noun("coffee mug", "n03063599"), common_noun("hook")
    ('cat', 'cup', '')
    """
    if label_id == "n02509815":
        return "red panda"  # stands among the bears, beside the giant panda
    if label_id and label_id < "n02666196":
        run = bisect_right(_STARTS, label_id) - 1
        return _RUNS[run][1] or label if run >= 0 else label
    return _OBJECT_NOUNS.get(label, "")


def named_classes(words: Sequence[str]) -> list[tuple[str, int]]:
    """The objects of the 80 classes that a sentence names, each with the place of its word.

    Args:
        words: As `split_words` gives them.

    >>> named_classes(["a", "teddy", "bear", "beside", "two", "dogs"])
    [('teddy bear', 1), ('dog', 5)]
    """
    out = []
    place = 0
    while place < len(words):
        pair = _PAIRS.get((words[place], words[place + 1])) if place + 1 < len(words) else None
        if pair is not None:
            if pair:
                out.append((pair, place))
            place += 2
            continue
        name = _classes_of_words().get(words[place])
        if name:
            out.append((name, place))
        place += 1
    return out


def words_of_class(name: str) -> tuple[str, ...]:
    """The single words that name one of the 80 classes; none for another.

    >>> words_of_class("cat")[:3]
    ('cat', 'cats', 'kitten')
    """
    return tuple(_SYNONYMS.get(name, "").split())


def plural_of(noun: str) -> str:
    """More than one of it.

    >>> [plural_of(noun) for noun in ("dog", "person", "bus", "knife", "sheep", "cup of coffee", "pony", "skis")]
    ['dogs', 'people', 'buses', 'knives', 'sheep', 'cups of coffee', 'ponies', 'skis']
    """
    head, of, rest = noun.partition(" of ")
    *before, last = head.split(" ")
    return " ".join((*before, _plural(last))) + of + rest


_IRREGULAR = {
    "person": "people",
    "child": "children",
    "man": "men",
    "woman": "women",
    "knife": "knives",
    "wolf": "wolves",
    "mouse": "mice",
    "goose": "geese",
    "ox": "oxen",
}
_UNCHANGED = frozenset({"sheep", "fish", "skis", "scissors", "broccoli", "cattle", "aircraft", "luggage"})


def _plural(word: str) -> str:
    if word in _UNCHANGED:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "x", "ch", "sh", "z")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


@cache
def _classes_of_words() -> dict[str, str]:
    return {word: name for name, text in _SYNONYMS.items() for word in text.split()}
