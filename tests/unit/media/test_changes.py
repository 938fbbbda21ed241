"""When the picture of a video changes: what stands, what moves, and how many are kept."""

import numpy as np
import pytest

from activities.media.changes import COLUMNS, ROWS, Looks, Sample, choose, coarse_look
from activities.media.pictures import join
from schema.contracts.media import Keyframe, KeyframeWhy, Portion

RNG = np.random.default_rng(5)


def samples(looks: list[np.ndarray], scenes: frozenset[int] = frozenset()) -> tuple[list[Sample], Looks]:
    """Two a second."""
    told = [Sample(number / 2, number in scenes) for number in range(len(looks))]
    return told, np.stack(looks).astype(np.uint8)


def slide(*marks: int) -> np.ndarray:
    """A white picture with small marks: fewer squares than a coarse look tells."""
    look = np.full((ROWS, COLUMNS), 255.0)
    for mark in marks:
        look[40:44, 10 * mark : 10 * mark + 2] = 150
    return look


def noisy(look: np.ndarray) -> np.ndarray:
    return np.clip(look + RNG.normal(0, 3, look.shape), 0, 255)


def film(count: int) -> list[np.ndarray]:
    return [RNG.integers(0, 256, (ROWS, COLUMNS)).astype(float) for _ in range(count)]


def test_a_figure_on_a_slide_is_a_new_picture() -> None:
    looks = [noisy(slide(1)) for _ in range(9)] + [noisy(slide(1, 2)) for _ in range(8)] + [noisy(slide(3))] * 4
    chosen = choose(*samples(looks), 100)
    assert [(each.number, each.is_scene) for each in chosen] == [(0, False), (9, True), (17, True)]


def test_what_never_changes_is_kept_once() -> None:
    assert len(choose(*samples([noisy(slide(1)) for _ in range(100)]), 100)) == 1


def test_a_pointer_on_a_slide_is_no_new_picture() -> None:
    looks = []
    for number in range(60):
        # It never comes to rest.
        look = slide(1)
        look[number : number + 4, 3 * number : 3 * number + 2] = 0
        looks.append(look)
    looks.append(slide(1))
    assert len(choose(*samples(looks), 100)) == 1


def test_what_moves_is_kept_by_the_clock_and_at_scenes() -> None:
    chosen = choose(*samples(film(41), frozenset({7})), 100)
    assert [(each.number, each.is_scene) for each in chosen] == [
        *((0, False), (7, True), (10, False), (20, False), (30, False)),
        (40, True),
    ]


def test_a_blend_gives_way_to_what_stands_after_it() -> None:
    white, black = np.full((ROWS, COLUMNS), 255.0), np.zeros((ROWS, COLUMNS))
    blend = [white * 0.6, white * 0.3]
    chosen = choose(*samples([white] * 6 + blend + [black] * 6, frozenset({6})), 100)
    assert [(each.number, each.is_scene) for each in chosen] == [(0, False), (8, True)]


def test_the_most_telling_are_kept_where_there_are_too_many() -> None:
    looks = [look for number in range(10) for look in [slide(number)] * 3]
    looks[15:18] = [np.zeros((ROWS, COLUMNS))] * 3
    chosen = choose(*samples(looks), 4)
    assert len(chosen) == 4
    assert {15, 18} <= {each.number for each in chosen}


@pytest.mark.parametrize("seen_to_s", [310.0, 300.0])
def test_the_overlap_of_portions_is_seen_once(seen_to_s: float) -> None:
    """A change too small for the kept look is not lost where the second portion goes on."""

    def frame(at_s: float, mark: int) -> Keyframe:
        import base64

        look = base64.b64encode(coarse_look(slide(mark).astype(np.uint8))).decode()
        return Keyframe(at_s=at_s, why=KeyframeWhy.SCENE, width=2, height=2, sha256=str(at_s), size_bytes=1, look=look)

    first = (Portion(index=0, start_s=0, end_s=310), (frame(0, 1), frame(299, 2)))
    second = (Portion(index=1, start_s=300, end_s=600), (frame(300, 2), frame(400, 3), frame(401.5, 4)))
    assert [each.at_s for each in join([first, second])] == [0, 299, 400, 401.5]
