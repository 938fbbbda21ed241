"""What is said in the recordings of the tests. Written for them; A and B are two voices."""

Turns = tuple[tuple[str, tuple[str, ...]], ...]

SHORT: Turns = (
    (
        "A",
        (
            "Good morning, and welcome to the weekly meeting about the harbour bridge.",
            "The painting of the northern tower was finished on Thursday.",
        ),
    ),
    (
        "B",
        (
            "Thank you, that is good news for everybody.",
            "My team found three cracked bolts below the second arch, and we replaced all of them yesterday.",
        ),
    ),
    ("A", ("Do we have to close the bridge again before the winter?",)),
    (
        "B",
        (
            "No, the engineers say that one inspection in November is enough.",
            "The budget for the repair remains below ninety thousand francs.",
        ),
    ),
    ("A", ("Then I will tell the newspaper that the ferry stops at the end of the month.",)),
)
"""About forty seconds."""

LONG: Turns = (
    *SHORT,
    ("B", ("Please tell them also that the cycle path opens a week earlier than we promised.",)),
    (
        "A",
        (
            "I will, although nobody believed us when we announced the date last spring.",
            "Let us talk about the lighting now.",
            "The old lamps use far too much electricity, and two of them failed during the storm.",
        ),
    ),
    (
        "B",
        (
            "We compared four suppliers, and the cheapest lamp was also the heaviest one.",
            "The railing cannot carry that weight, so we chose the second offer.",
            "It costs a little more, but the manufacturer repairs every lamp for ten years.",
        ),
    ),
    ("A", ("How long will the electricians need?", "The music festival begins in the middle of June.")),
    (
        "B",
        (
            "They need twelve nights, because the trains must not be disturbed during the day.",
            "If the weather is kind, we are ready in the first week of May.",
        ),
    ),
    (
        "A",
        (
            "Good, I would like to hear about the birds as well.",
            "Last year a pair of falcons raised three chicks on the southern tower.",
        ),
    ),
    (
        "B",
        (
            "The falcons came back in February, and we put a small wooden box beside the ladder.",
            "No worker climbs that tower until the young birds have left the nest.",
            "A student from the university watches them with a camera and counts their meals.",
        ),
    ),
    ("A", ("That sounds wonderful.", "Could the museum show the pictures to its visitors?")),
    (
        "B",
        (
            "The museum asked us the same question, and the student has already agreed.",
            "There will be a large screen next to the model of the bridge.",
        ),
    ),
    (
        "A",
        (
            "One last point is the water level of the river.",
            "After the heavy rain the gauge at the mill showed four metres.",
            "Is there any danger for the foundations?",
        ),
    ),
    (
        "B",
        (
            "The divers looked at every pillar on Monday and found no damage at all.",
            "Some sand was washed away, and a barge will bring new stones next week.",
        ),
    ),
    ("A", ("Thank you for your careful work, and see you all next Wednesday.",)),
)
"""About two and a half minutes."""


def cast(turns: Turns, first: str, second: str) -> list[tuple[str, tuple[str, ...]]]:
    """Give the parts to two voices."""
    return [({"A": first, "B": second}[part], sentences) for part, sentences in turns]
