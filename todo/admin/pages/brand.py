"""The name, logo, accent color and style sheet of the pages. Texts of the accent color keep their contrast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from todo.admin.pages.assets import FILES, asset

Color = tuple[float, float, float]  # of 0 to 1 each
BLACK, WHITE, DARK = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "#171a21"
TEXT, SHAPE = 4.5, 3.0  # contrast of WCAG 2.1 AA
# Of `admin.css`: what texts of the accent color stand on, beside its own soft variant.
LIGHT_GROUNDS, DARK_GROUNDS = ("#ffffff", "#fafafb", "#f2f3f6"), ("#161920", "#0e1015", "#1c2029", "#222733")
OWN_COLOR = b"#4338ca"  # of mark.svg


@dataclass(frozen=True)
class Brand:
    """What the pages are called, and how they look.

    `color` is "#rrggbb", `logo` an SVG or a PNG, `css` a style sheet that is loaded last; each may be empty.
    """

    name: str = "todo"
    color: str = ""
    logo: bytes = b""
    css: bytes = b""

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Return what is served: the style sheets, and the logo, which is also the icon of the pages."""
        styles = {"brand.css": style_of(self.color).encode() if self.color else b"", "own.css": self.css}
        found = {name: style for name, style in styles.items() if style}
        if self.logo:
            return {**found, f"logo.{'svg' if b'<svg' in self.logo[:1000] else 'png'}": self.logo}
        mark = FILES["mark.svg"].replace(OWN_COLOR, self.color.encode()) if self.color else b""
        return {**found, "mark.svg": mark} if mark else found

    @cached_property
    def digest(self) -> str:
        return sha256(b"".join(self.files.values())).hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the URL of a file, which changes with its content, or "" where there is none."""
        return f"/admin/brand/{self.digest}/{name}" if name in self.files else ""

    @property
    def logo_url(self) -> str:
        return self.url("logo.svg") or self.url("logo.png")

    @property
    def icon_url(self) -> str:
        return self.logo_url or self.url("mark.svg") or asset("mark.svg")


def style_of(color: str) -> str:
    """Return the variables of both themes for an accent color, in the layer of `admin.css`."""
    light, dark = _variables(color, "#ffffff", LIGHT_GROUNDS, BLACK), _variables(color, "#161920", DARK_GROUNDS, WHITE)
    return (
        "@layer admin {\n"
        f":root {{ {light} }}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="dark"] {{ {dark} }}\n'
        "}\n"
    )


def _variables(color: str, surface: str, grounds: tuple[str, ...], end: Color) -> str:
    ground, dark = parsed(surface), parsed(DARK)
    accent = _until(
        parsed(color),
        end,
        lambda one: contrast(one, ground) >= SHAPE and max(contrast(one, WHITE), contrast(one, dark)) >= TEXT,
    )
    on_accent = WHITE if contrast(accent, WHITE) >= TEXT else dark
    soft = parsed(written(mixed(ground, accent, 0.12 if end is BLACK else 0.25)))
    behind = [*map(parsed, grounds), soft]
    text = _until(accent, end, lambda one: all(contrast(one, place) >= TEXT for place in behind))
    found = {
        "accent": accent, "accent-hover": mixed(accent, BLACK if on_accent == WHITE else WHITE, 0.15),
        "on-accent": on_accent, "accent-soft": soft, "accent-text": text,
    }  # fmt: skip
    return " ".join(f"--{name}: {written(value)};" for name, value in found.items())


def _until(color: Color, end: Color, is_enough: Callable[[Color], bool]) -> Color:
    """Return the color, moved toward black or white as far as it takes."""
    steps = (mixed(color, end, step / 50) for step in range(51))
    return next((one for one in steps if is_enough(parsed(written(one)))), end)


def parsed(color: str) -> Color:
    """Return the parts of "#rrggbb"."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def written(color: Color) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in color)


def mixed(one: Color, other: Color, share: float) -> Color:
    """Return a color with a share of another."""
    red, green, blue = (mine + (theirs - mine) * share for mine, theirs in zip(one, other, strict=True))
    return red, green, blue


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of WCAG 2.1: 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
