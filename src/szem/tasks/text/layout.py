"""Lines to blocks and paragraphs, in the order in which people read them.

Everything is decided on the lines' rectangles in a frame in which the text lies level. This file does not know
pictures or networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from szem.results.text import Break, TextBlock, TextLine, TextParagraph
from szem.tasks.text.languages import guess_languages

__all__ = ["arrange", "reading_order"]

_SAME_ANGLE = np.cos(np.radians(15))
_SAME_HEIGHT = 1.7  # ratio of the heights of lines of one block
_ROW_GAP = 1.2  # heights between pieces of one line
_BLOCK_GAP = 0.9  # heights between lines of one block; the rectangles of lines of single spacing touch
_WIDE_PITCH = 1.4  # times the block's usual distance of lines: a new paragraph
_SHORT = 0.15  # of the block's width is free at the end of a paragraph's last line
_INDENT = 0.8  # heights
_ENDS = '.!?:;”"»…'

_Rows = NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """Lines and their rectangles (N, 4) x0, y0, x1, y1 in a frame in which they lie level."""

    lines: list[TextLine]
    boxes: _Rows


def arrange(lines: Sequence[TextLine]) -> tuple[TextBlock, ...]:
    """Put lines into blocks and paragraphs, in reading order.

    Args:
        lines: In any order; the last word of each is given the break that follows it.
    """
    if not lines:
        return ()
    along = np.array([_direction(line) for line in lines])
    blocks: list[tuple[TextBlock, _Rows]] = []
    main = _main_direction(lines, along)
    left = np.arange(len(lines))
    direction = main
    while len(left):
        near = along[left] @ direction >= _SAME_ANGLE
        if not near.any():  # cannot be while `direction` is that of one of them, but a loop must end
            near[:] = True
        group = [lines[i] for i in left[near]]
        left = left[~near]
        level = _join_rows(_Level(group, np.array([_box_in(line, direction) for line in group])))
        for members in _blocks_of(level.boxes):
            block = _paragraphs([level.lines[i] for i in members], level.boxes[members])
            blocks.append((block, _box_in(block, main)))
        if len(left):
            direction = _main_direction([lines[i] for i in left], along[left])
    order = reading_order(np.array([box for _, box in blocks]))
    return tuple(blocks[i][0] for i in order)


def reading_order(boxes: _Rows) -> list[int]:
    """The order in which boxes are read: the page is cut where the gap is widest, across or down, again and again.

    Args:
        boxes: (N, 4) x0, y0, x1, y1.

    >>> columns = [[60, 0, 100, 90], [0, 0, 40, 40], [0, 45, 40, 90], [0, -30, 100, -10]]
    >>> reading_order(np.array(columns, float))
    [3, 1, 2, 0]
    """
    return _cut(np.asarray(boxes, np.float64).reshape(-1, 4), list(range(len(boxes))))


def _cut(boxes: _Rows, members: list[int]) -> list[int]:
    if len(members) < 2:
        return members
    chosen = boxes[members]
    (gap_y, at_y), (gap_x, at_x) = _widest_gap(chosen[:, 1], chosen[:, 3]), _widest_gap(chosen[:, 0], chosen[:, 2])
    if max(gap_x, gap_y) <= 0:
        return sorted(members, key=lambda i: (boxes[i, 1], boxes[i, 0]))
    axis, at = (0, at_x) if gap_x > gap_y else (1, at_y)
    first = [i for i in members if boxes[i, axis] < at]
    second = [i for i in members if boxes[i, axis] >= at]
    return _cut(boxes, first) + _cut(boxes, second)


def _widest_gap(starts: _Rows, ends: _Rows) -> tuple[float, float]:
    """The widest stretch that no interval covers, between the first and the last: its length and its end."""
    order = np.argsort(starts, kind="stable")
    reached = np.maximum.accumulate(ends[order])[:-1]
    gaps = starts[order][1:] - reached
    if not len(gaps):
        return 0.0, 0.0
    best = int(gaps.argmax())
    return float(gaps[best]), float(starts[order][best + 1])


def _main_direction(lines: Sequence[TextLine], along: _Rows) -> _Rows:
    """The direction that most of the text shares, weighed by the lines' lengths."""
    lengths = np.array([np.linalg.norm(line.corners_xy[1] - line.corners_xy[0]) for line in lines])
    weights = ((along @ along.T >= _SAME_ANGLE) * lengths).sum(axis=1)
    near = along @ along[int(weights.argmax())] >= _SAME_ANGLE
    mean = (along[near] * lengths[near, None]).sum(axis=0)
    norm = float(np.hypot(*mean))
    return mean / norm if norm > 0 else np.array([1.0, 0.0])


def _direction(line: TextLine) -> _Rows:
    along = (line.corners_xy[1] - line.corners_xy[0]).astype(np.float64)
    norm = float(np.hypot(*along))
    return along / norm if norm > 0 else np.array([1.0, 0.0])


def _box_in(part: TextLine | TextBlock, direction: _Rows) -> _Rows:
    """(4,) x0, y0, x1, y1 in the frame whose x axis is `direction`."""
    turn = np.array([[direction[0], -direction[1]], [direction[1], direction[0]]])
    level = part.corners_xy.astype(np.float64) @ turn
    return np.concatenate([level.min(axis=0), level.max(axis=0)])


def _join_rows(level: _Level) -> _Level:
    """Pieces of one line, which a wide space had parted, become one line."""
    order = np.argsort(level.boxes[:, 0], kind="stable")
    lines: list[TextLine] = []
    boxes: list[_Rows] = []
    for place in order:
        line, box = level.lines[place], level.boxes[place]
        height = box[3] - box[1]
        for number, other in enumerate(boxes):
            tall = other[3] - other[1]
            is_row = abs((box[1] + box[3]) - (other[1] + other[3])) < 0.7 * min(height, tall)
            gap = box[0] - other[2]
            if is_row and max(height, tall) < 1.5 * min(height, tall) and -0.5 < gap / height < _ROW_GAP:
                lines[number] = TextLine((*_ended(lines[number], "space").words, *line.words))
                boxes[number] = np.concatenate([np.minimum(box[:2], other[:2]), np.maximum(box[2:], other[2:])])
                break
        else:
            lines.append(line)
            boxes.append(box)
    return _Level(lines, np.array(boxes))


def _blocks_of(boxes: _Rows) -> list[NDArray[np.intp]]:
    """Groups of lines that stand close below each other, each from top to bottom."""
    heights = boxes[:, 3] - boxes[:, 1]
    low, high = np.minimum.outer(heights, heights), np.maximum.outer(heights, heights)
    gap = boxes[None, :, 1] - boxes[:, None, 3]  # from the bottom of one to the top of another
    overlap = np.minimum.outer(boxes[:, 2], boxes[:, 2]) - np.maximum.outer(boxes[:, 0], boxes[:, 0])
    widths = boxes[:, 2] - boxes[:, 0]
    is_below = boxes[None, :, 1] > boxes[:, None, 1]
    is_close = is_below & (gap < _BLOCK_GAP * low) & (high < _SAME_HEIGHT * low)
    linked = is_close & (overlap > 0.3 * np.minimum.outer(widths, widths))
    return [members[np.argsort(boxes[members, 1], kind="stable")] for members in _connected(linked)]


def _connected(linked: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Groups of what is linked, directly or through others."""
    either = linked | linked.T
    label = np.full(len(linked), -1)
    for start in range(len(linked)):
        if label[start] >= 0:
            continue
        label[start] = start
        waiting = [start]
        while waiting:
            for other in np.flatnonzero(either[waiting.pop()] & (label < 0)):
                label[other] = start
                waiting.append(int(other))
    return [np.flatnonzero(label == start) for start in np.unique(label)]


def _paragraphs(lines: list[TextLine], boxes: _Rows) -> TextBlock:
    """One block of lines from top to bottom."""
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    pitches = np.diff(middles)
    usual = float(np.median(pitches)) if len(pitches) else 0.0
    left, right = boxes[:, 0].min(), boxes[:, 2].max()
    groups: list[list[TextLine]] = [[lines[0]]]
    for row, line in enumerate(lines[1:]):
        before, box = boxes[row], boxes[row + 1]
        is_short = before[2] < right - _SHORT * (right - left)
        is_indented = box[0] > left + _INDENT * (box[3] - box[1]) and before[0] < box[0] - (box[3] - box[1]) / 2
        ends = lines[row].words[-1].text[-1] in _ENDS
        if pitches[row] > _WIDE_PITCH * usual or (len(lines) > 3 and is_short and (ends or is_indented)):
            groups.append([])
        groups[-1].append(line)
    paragraphs = tuple(
        TextParagraph((*(_ended(line, "line_wrap") for line in group[:-1]), _ended(group[-1], "line_break")))
        for group in groups
    )
    return TextBlock(paragraphs, languages=guess_languages(" ".join(line.text for line in lines)))


def _ended(line: TextLine, break_after: Break) -> TextLine:
    return TextLine((*line.words[:-1], replace(line.words[-1], break_after=break_after)))
