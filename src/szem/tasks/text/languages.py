"""Which language a text is in, by the short words that every text of a language is full of, and by its own letters.

It says nothing where a text holds too few of them: a name, a number or a sign has no language. It tells the languages
of the table apart, and none else.
"""

import re

__all__ = ["LANGUAGES", "guess_languages"]

LANGUAGES: dict[str, tuple[str, str]] = {  # BCP-47 code -> frequent words, letters that few others have
    "en": (
        (
            "the of and to in is that it was for on are with as his they at be this from have or by one had not "
            "but what all were when we there can an your which their said if do will each about how up out"
        ),
        "",
    ),
    "hu": (
        (
            "a az és hogy nem is egy ez azt meg csak már de van volt mint még el ha sem vagy ki be le fel így itt "
            "ott mert akkor minden lesz lehet pedig majd után ezt ami aki"
        ),
        "őűáéíóúöü",
    ),
    "de": (
        (
            "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden "
            "aus er hat dass sie nach wird bei einer um am sind noch wie einem über"
        ),
        "ßäöü",
    ),
    "fr": (
        (
            "le la les de des et à un une en du que qui dans est pour pas sur ne se ce il au par plus sont avec "
            "mais comme ou on été aux cette ses"
        ),
        "èêàçœùî",
    ),
    "es": (
        (
            "el la los las de que y en un una se del por con no para su al es lo como más pero sus le ya o este "
            "sí porque esta entre cuando muy"
        ),
        "ñ¿¡áéíóú",
    ),
    "it": (
        (
            "il la i le di che e un una in per è non si da con del della sono come dei al lo gli nel alla più "
            "anche ma delle questo"
        ),
        "àèìòù",
    ),
    "pt": (
        (
            "o a os as de que e do da em um uma para com não se na no por mais dos como mas ao das foi à pelo "
            "pela até isso ele"
        ),
        "ãõçâê",
    ),
    "nl": (
        (
            "de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar bij nog uit ze door "
            "naar heeft hun je worden"
        ),
        "",
    ),
    "pl": (
        "i w na z do że nie się jest o jak po co za od tak ale przez przy dla czy być był tylko jego już oraz",
        "ąćęłńśźż",
    ),
    "cs": (
        "a v se na je že s z do o i to jako za by ale pro tak jsem který po jeho byl od nebo která již",
        "ěščřžýů",
    ),
    "sk": ("a v sa na je že s z do o i to ako za by ale pre tak som ktorý po jeho bol od alebo ktorá už", "ľĺŕôťž"),
    "ro": ("și de la în a nu că o un cu pe este care din se mai pentru sau ca au fi fost prin dar această", "ăâîșț"),
    "sv": ("och i att det som en på är av för med den till inte har de om ett men var sig jag från kan vi", "åäö"),
    "tr": ("ve bir bu da de için ile çok daha olan gibi ne kadar olarak sonra en ama var o ya değil mi", "ğışçü"),
}

_WORDS = {code: frozenset(words.split()) for code, (words, _) in LANGUAGES.items()}
_MIN_WORDS = 4  # a shorter text has no language
_MIN_HITS = 3  # frequent words
_LETTER_WEIGHT = 0.25  # of a frequent word, for each word with a letter that few others have
_MOST = 3  # languages named
_MIN_FRACTION = 0.1  # of the points, for a language to be named


def guess_languages(text: str) -> tuple[tuple[str, float], ...]:
    """The languages that a text may be in.

    Returns:
        BCP-47 codes with the fraction of the evidence that speaks for each, the best first; none where the text is
        too short to say.

    >>> guess_languages("The ship was in the harbour and it was not for sale")[0][0]
    'en'
    >>> guess_languages("Az őszi erdő csendes volt, és a hűvös szél is elült már")[0][0]
    'hu'
    >>> guess_languages("EXIT 24")
    ()
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) < _MIN_WORDS:
        return ()
    hits = {code: sum(word in known for word in words) for code, known in _WORDS.items()}
    if max(hits.values()) < min(_MIN_HITS, len(words) / 3):
        return ()
    points = {}
    for code, (_, letters) in LANGUAGES.items():
        own = set(letters)
        points[code] = hits[code] + _LETTER_WEIGHT * sum(not own.isdisjoint(word) for word in words)
    # Squared, since languages of one family share many words: half the points are far less than half the evidence.
    total = sum(value**2 for value in points.values())
    ranked = sorted(((code, value**2 / total) for code, value in points.items()), key=lambda row: -row[1])
    return tuple((code, fraction) for code, fraction in ranked[:_MOST] if fraction >= _MIN_FRACTION)
