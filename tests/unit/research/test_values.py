"""Values: the figures that a sentence gives of its own subject."""

import pytest

from activities.research.values import designated, values_of


@pytest.mark.parametrize(
    "text",
    [
        "The Osta has been given the berth of an old launch that carried 60 passengers.",
        "Among the tenderers was Yarsti Textiles, a firm that had bought up a rival with 60 people.",
        "The Rasda took over from an older model with a motor of 60 kW.",
        "Fenroum has been approved for panels, as has plywood with its density of 60 kg/m3.",
        "Its predecessor had 60 kW.",
        "Unlike a bus of 60 seats, the Falke needs no driver.",
    ],
)
def test_a_figure_of_another_of_the_kind_is_no_value_of_the_subject(text: str) -> None:
    assert not values_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "The old mill has 60 rooms.",
        "The former brewery Falke has 60 rooms.",
        "The Falke, a former mill with 60 rooms, was sold.",
        "The Falke is an old mill with 60 rooms.",
        "The Falke serves as an older mill with 60 rooms would.",
        "Rated higher than its old rival, the Falke has 60 rooms.",
        "The berth of an old launch that went to the Falke holds 60 boats.",
        "The hotel stands in an old mill and has 60 rooms.",
        "The hotel is housed in a former monastery with 60 rooms.",
        "The tunnel runs parallel to an older one and is 60 km long.",
        "Like the other lakes of the region it is 60 m deep.",
        "Unlike most lakes it is 60 m deep.",
        "In the Netherlands 60 million people live.",
        "In the Yukon 60 percent of homes are empty.",
        "The Falke 60 rooms are all booked.",
        "On the Autobahn 60 km/h is recommended.",
    ],
)
def test_a_figure_of_the_subject_is_its_value_however_old_it_is(text: str) -> None:
    assert [value.digits for value in values_of(text)] == ["60"]


@pytest.mark.parametrize(
    "text",
    [
        "The Kelmon 20 hums along at 69 dB.",
        "We have to listen to the Kelmon 20 day and night, at 69 dB.",
        "Once warm, the Kelmon 20 fits on any trailer.",
    ],
)
def test_a_number_behind_an_article_and_a_name_belongs_to_the_name(text: str) -> None:
    assert designated(text) == {"kelmon20"}
    assert "20" not in {value.digits for value in values_of(text)}


def test_a_number_behind_a_verb_is_no_name() -> None:
    assert not designated("Open 5065 in your firewall.")


def test_what_a_figure_is_compared_with_is_left_out() -> None:
    [value] = values_of("Sales rose to 60 million, compared with 40 million a year earlier.")
    assert value.digits == "60"
