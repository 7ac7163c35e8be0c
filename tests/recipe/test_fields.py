from dataclasses import dataclass

from archive_colorizer.recipe.fields import Settings, pixel_setting
from archive_colorizer.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Before(Settings):
    strength: float = pixel_setting(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class After(Before):
    blur: float = pixel_setting(0.0, 0.0, 9.0, later=True)


def test_a_setting_that_came_later_leaves_the_digest_alone_until_it_is_used():
    assert After(strength=0.5).compute_digest() == Before(strength=0.5).compute_digest()
    assert After(blur=0.0).compute_digest() == Before().compute_digest()
    assert len({After(blur=blur).compute_digest() for blur in (0.0, 1.0, 2.0)}) == 3


def test_results_of_earlier_versions_stay_settled():
    """The digest stands in every manifest: when it changes, whole archives are made again."""
    known = "53f4d27f7aa28dfc8fcf76a8479e8e2060bad303fb795b1211f4fc0f2d6a1368"
    assert Recipe().compute_digest() == known
