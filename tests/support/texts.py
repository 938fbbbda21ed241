"""Documents for tests: real ones that every Python installation has, and generated ones with known facts."""

from importlib import metadata
from pydoc_data.topics import topics


def python_topics() -> dict[str, str]:
    """Return the chapters of Python's language reference that ship with Python, by file name."""
    return {f"{name}.txt": text for name, text in sorted(topics.items()) if len(text) > 200}


def chapters(*wanted: str, count: int) -> dict[str, str]:
    """Return the named chapters of the language reference, and others up to `count`: distractors."""
    texts = python_topics()
    names = [f"{name}.txt" for name in wanted]
    others = [name for name in texts if name not in names and len(texts[name]) < 5_000]
    return {name: texts[name] for name in [*names, *others][:count]}


def descriptions(*wanted: str, count: int) -> dict[str, str]:
    """Return the long descriptions of the named packages, and others up to `count`: distractors."""
    texts = package_descriptions(1_000)
    names = [f"{name}.md" for name in wanted if f"{name}.md" in texts]
    others = [name for name in texts if name not in names and len(texts[name]) < 5_000]
    return {name: texts[name] for name in [*names, *others][:count]}


def package_descriptions(limit: int = 40) -> dict[str, str]:
    """Return the long descriptions of installed packages, by file name."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        text = str(distribution.metadata.json.get("description", ""))
        if name and len(text) > 500:
            found[f"{name.lower()}.md"] = text
    return dict(sorted(found.items())[:limit])


PLANTED = {
    "zephyr-datasheet.txt": (
        "The Zephyr-9 is a marine engine made by Boreal Works. The Zephyr-9 engine produces 420 kW at 1,800 rpm. "
        "It has six cylinders and is cooled by sea water. The first Zephyr-9 was delivered in 2019."
    ),
    "zephyr-review.txt": (
        "We tested the Zephyr-9 for three weeks. According to our measurements the Zephyr-9 engine produces 380 kW. "
        "The engine ran quietly, and its fuel use was 92 litres an hour at full load."
    ),
    "zephyr-history.txt": (
        "Boreal Works was founded in 1974 in Tromsø. The company builds marine engines for fishing vessels. "
        "Its best known product is the Zephyr series of diesel engines."
    ),
}
"""Three documents about one engine, two of which disagree about its power."""
