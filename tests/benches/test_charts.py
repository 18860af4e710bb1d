"""The charts of the load harness: the right thing, to who sees them and to who does not."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from loadbench.charts.bars import Bar, bar_chart
from loadbench.charts.lines import Axis, Line, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    """The chart, if it is well-formed."""
    return ElementTree.fromstring(svg)


def rectangles(chart: ElementTree.Element, kind: str) -> list[float]:
    """Widths of the bars of a kind, from the top down, without the legend's."""
    found = [one for one in chart.iter(f"{SVG}rect") if one.get("class") == kind]
    return [float(one.attrib["width"]) for one in found if one.attrib["height"] == "18.0"]


def texts(chart: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in chart.iter(f"{SVG}text")]


BARS = [
    Bar("slow <&>", 20.0, 10.0, 30.0, ours=False),
    Bar("ours", 4.0, 6.0, 10.0, ours=True),
    Bar("fast", 2.0, 18.0, 20.0, ours=False),
]


def test_bars_are_ordered_and_as_long_as_their_numbers() -> None:
    chart = parsed(bar_chart("hello", BARS))
    labels = [word for word in texts(chart) if word in ("ours", "fast", "slow <&>")]
    assert labels == ["ours", "fast", "slow <&>"]
    (our_user,), (our_system,) = rectangles(chart, "ours-user"), rectangles(chart, "ours-system")
    fast, slow = (
        user + system
        for user, system in zip(rectangles(chart, "user"), rectangles(chart, "system"), strict=True)
    )
    assert our_user / our_system == pytest.approx(4 / 6, abs=0.01)
    assert fast / (our_user + our_system) == pytest.approx(2.0, abs=0.01)
    assert slow / (our_user + our_system) == pytest.approx(3.0, abs=0.01)


def test_a_bar_far_longer_than_the_others_is_cut_and_says_so() -> None:
    chart = parsed(bar_chart("hello", [*BARS, Bar("slowest", 900.0, 100.0, 1000.0, ours=False)]))
    assert any("long bars are cut" in word for word in texts(chart))
    assert "1000.00" in texts(chart)
    assert [one.get("class") for one in chart.iter(f"{SVG}path")] == ["gap", "gap"]
    # The median is 25 µs: the longest bar stands for 100 of them.
    ours = rectangles(chart, "ours-user")[0] + rectangles(chart, "ours-system")[0]
    assert rectangles(chart, "user")[-1] / ours == pytest.approx(10.0, abs=0.05)


def test_a_chart_is_told_to_who_does_not_see_it() -> None:
    chart = parsed(bar_chart("hello & more", BARS))
    assert chart.get("role") == "img"
    assert chart.get("aria-label") == "hello & more"
    assert chart.findtext(f"{SVG}title") == "hello & more"
    description = chart.findtext(f"{SVG}desc")
    assert description == "CPU per request: ours 10.00 µs; fast 20.00 µs; slow <&> 30.00 µs."


def test_a_chart_has_colours_for_both_themes() -> None:
    style = parsed(bar_chart("hello", BARS)).findtext(f"{SVG}style") or ""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    for name in (".back{", ".text{", ".ours-user{", ".system{", ".series-0{"):
        (one,) = (part for part in light.split("}") if part.strip().startswith(name))
        assert one not in dark and name in dark


def test_axes_are_logarithmic() -> None:
    lines = [
        Line("straight", [(10, 5.0), (100, 50.0), (1000, 500.0)], ours=True),
        Line("flat", [(1000, 7.0), (10, 7.0)], ours=False),
    ]
    axis = Axis("connections", lambda value: f"{value:g}")
    chart = parsed(line_chart("growth", axis, Axis("µs", lambda value: f"{value:g}"), lines))
    straight, flat = (
        [tuple(map(float, step.split(" "))) for step in one.attrib["d"][1:].split(" L")]
        for one in chart.iter(f"{SVG}path")
    )
    (x1, y1), (x2, y2), (x3, y3) = straight
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y1 > y2  # upwards is less in SVG
    (left, level), (right, same) = flat
    assert (left, right) == (x1, x3) and level == same
    said = chart.findtext(f"{SVG}desc") or ""
    assert "straight: 10 5, 100 50, 1000 500; flat: 10 7, 1000 7." in said


def test_one_point_is_a_chart_too() -> None:
    axis = Axis("x", lambda value: f"{value:g}")
    assert parsed(line_chart("one", axis, axis, [Line("alone", [(10, 10.0)], ours=False)]))
