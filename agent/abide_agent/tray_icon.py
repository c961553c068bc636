"""The tray's pictures: one shield a state, told apart by shape and not by colour alone."""

from __future__ import annotations

from PIL import Image, ImageDraw

from abide_agent.tray_view import State

SIZE = 64
_SCALE = 4
_SHIELD = ((32, 3), (58, 12), (56, 36), (46, 51), (32, 61), (18, 51), (8, 36), (6, 12))
_COLOURS: dict[State, str] = {"guarded": "#1c6b45", "stale": "#b86a00", "unguarded": "#a3121b"}


def draw(state: State) -> Image.Image:
    """Return a picture of SIZE: a full shield with a tick, one with a clock's hands, or a broken, crossed-out outline."""
    picture = Image.new("RGBA", (SIZE * _SCALE, SIZE * _SCALE))
    pen = ImageDraw.Draw(picture)
    colour = _COLOURS[state]
    pen.polygon(_scaled(*_SHIELD), fill=colour if state != "unguarded" else "white")
    pen.line(
        _scaled(*_SHIELD, _SHIELD[0], _SHIELD[1]), fill=colour if state == "unguarded" else "white", width=5 * _SCALE
    )
    match state:
        case "guarded":
            _stroke(pen, "white", (18, 31), (28, 42), (47, 20))
        case "stale":
            _stroke(pen, "white", (32, 15), (32, 34), (45, 42))
        case "unguarded":
            _stroke(pen, colour, (16, 16), (48, 50))
            _stroke(pen, colour, (48, 16), (16, 50))
    return picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _stroke(pen: ImageDraw.ImageDraw, colour: str, *points: tuple[int, int]) -> None:
    pen.line(_scaled(*points), fill=colour, width=8 * _SCALE, joint="curve")


def _scaled(*points: tuple[int, int]) -> list[tuple[int, int]]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]
