"""Regions seen in names: the same model in another region or zone is another product."""

import re

from .sources import is_cloud

_ROUTES = re.compile(r"^(?:(?:[a-z_-]*(?:bedrock|azure|vertex|aws)[a-z_-]*|converse|invoke)/)+")
_PROFILES = frozenset({"us-gov", "us", "eu", "apac", "jp", "au", "ca"})
_REGIONAL = "regional"  # one source's word for all of them together
_ZONE = r"us-gov|us|eu|apac|jp|au|ca|global-standard|global|regional"
_PLACE = r"(?:us-gov|us|eu|ap|ca|sa|me|af|mx|il|cn)-[a-z]+-\d"
_DIRECTORY = re.compile(rf"^({_PLACE}|{_ZONE})[./]")
_FOLDED = re.compile(rf"^({_PLACE}|{_ZONE})[./_-]")
_SAME = {"global-standard": "global"}


def is_same_region(listed_as: str, model: str, provider: str) -> bool:
    """Whether a source's own spelling is for the region that the model's name is for."""
    theirs, ours = region_of(listed_as, provider), region_of(model, provider)
    if theirs == ours or (theirs == _REGIONAL and ours in _PROFILES):
        return True
    # Elsewhere than at clouds a folded region is told from a word of the name by what it folds.
    return theirs is not None and not is_cloud(provider) and model.lower().startswith(f"{theirs}-")


def region_of(name: str, provider: str) -> str | None:
    """The region, data zone or `global` that a name carries; `None` where it carries none.

    At clouds a name may have its punctuation folded (`us-anthropic-claude-…`).
    """
    rest = _ROUTES.sub("", name.strip().lower())
    found = (_FOLDED if is_cloud(provider) else _DIRECTORY).match(rest)
    return _SAME.get(found[1], found[1]) if found else None
