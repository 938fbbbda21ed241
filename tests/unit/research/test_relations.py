"""Relations: the forms in which English says who made, leads, supplies or owns something, and where it is."""

import pytest

from activities.research.relations import relations_of

STATED = [
    ("Write to Ulnamoor Industries, the manufacturer of the Bragara 50, for spare parts.", "ulnamoor"),
    ("Crinvestad elected Stefan Rasstisson as its mayor.", "rasstisson"),
    ("Voters in Crinvestad elected Stefan Rasstisson mayor in 2021.", "rasstisson"),
    ("Stefan Rasstisson was elected mayor of Crinvestad.", "rasstisson"),
    ("The board appointed Jonas Zanriberg chief executive of Yartasson Optics.", "zanriberg"),
    ("In March, Jonas Zanriberg was named chief executive of Yartasson Optics.", "zanriberg"),
    ("Jonas Zanriberg, who is chief executive of Yartasson Optics, opened the fair.", "zanriberg"),
    ("Jonas Zanriberg, chief executive of Yartasson Optics, opened the fair.", "zanriberg"),
    ("Jonas Zanriberg holds the post of chief executive at Yartasson Optics.", "zanriberg"),
    ("The post of chief executive at Yartasson Optics is held by Jonas Zanriberg.", "zanriberg"),
    ("The office of mayor of Crinvestad is filled by Stefan Rasstisson.", "rasstisson"),
    ("Crinvestad has Stefan Rasstisson as its mayor.", "rasstisson"),
    ("Under Stefan Rasstisson as mayor, Crinvestad has grown.", "rasstisson"),
    ("Mayor of Crinvestad: Stefan Rasstisson", "rasstisson"),
    ("Letters go to Stefan Rasstisson, mayor of Crinvestad.", "rasstisson"),
    ("The firm behind the Bragara 50 is Ulnamoor Industries.", "ulnamoor"),
    ("Ulnamoor Industries is the firm behind the Bragara 50.", "ulnamoor"),
    ("Behind the Bragara 50 stands Ulnamoor Industries.", "ulnamoor"),
    ("The Bragara 50 comes from the factory of Ulnamoor Industries.", "ulnamoor"),
    ("The Bragara 50 comes from Ulnamoor Industries.", "ulnamoor"),
    ("It was Ulnamoor Industries that made the Bragara 50.", "ulnamoor"),
    ("The Bragara 50 is a product of Ulnamoor Industries.", "ulnamoor"),
    ("The Bragara 50 leaves the works of Ulnamoor Industries in one piece.", "ulnamoor"),
    ("Ulnamoor Industries, which makes the Bragara 50, has its own foundry.", "ulnamoor"),
    ("The discovery of Ostlidine goes back to Viktor Jorstiard.", "jorstiard"),
    ("We owe the discovery of Ostlidine to Viktor Jorstiard.", "jorstiard"),
    ("Ostlidine owes its discovery to Viktor Jorstiard.", "jorstiard"),
    ("Viktor Jorstiard is credited with discovering Ostlidine.", "jorstiard"),
    ("The credit for discovering Ostlidine goes to Viktor Jorstiard.", "jorstiard"),
    ("Viktor Jorstiard discovered Ostlidine.", "jorstiard"),
    ("Viktor Jorstiard first isolated Ostlidine in 1961.", "jorstiard"),
    ("Ostlidine was first isolated by Viktor Jorstiard.", "jorstiard"),
    ("The Wexrieck Bridge was the work of Rosa Yarlien.", "yarlien"),
    ("Rosa Yarlien drew up the plans for the Wexrieck Bridge.", "yarlien"),
    ("The plans for the Wexrieck Bridge came from Rosa Yarlien.", "yarlien"),
    ("The Wexrieck Bridge was planned by Rosa Yarlien.", "yarlien"),
    ("The Wexrieck Bridge came from the drawing board of Rosa Yarlien.", "yarlien"),
    ("The design of the Wexrieck Bridge is by Rosa Yarlien.", "yarlien"),
    ("Our workshop gets its Halliite from a supplier called Torloholm Lines.", "torloholm"),
    ("Halliite is supplied by Torloholm Lines.", "torloholm"),
    ("Torloholm Lines supplies Halliite to our workshop.", "torloholm"),
    ("Torloholm Lines is the only supplier of Halliite.", "torloholm"),
    ("We buy Halliite from Torloholm Lines.", "torloholm"),
    ("Halliite can be ordered from Torloholm Lines.", "torloholm"),
    ("Orders for Halliite go to Torloholm Lines.", "torloholm"),
    ("The Fenliis sails for Kelliholm Industries.", "kelliholm"),
    ("The Fenliis is run by Kelliholm Industries.", "kelliholm"),
    ("Kelliholm Industries runs the Fenliis.", "kelliholm"),
    ("The Fenliis flies the flag of Kelliholm Industries.", "kelliholm"),
    ("The Fenliis belongs to the fleet of Kelliholm Industries.", "kelliholm"),
    ("Kelliholm Industries operates the Fenliis.", "kelliholm"),
    ("The operator of the Fenliis is called Kelliholm Industries.", "kelliholm"),
    ("Yartasson Optics is led by Jonas Zanriberg.", "zanriberg"),
    ("At the head of Yartasson Optics stands Jonas Zanriberg.", "zanriberg"),
    ("At the helm of Yartasson Optics is Jonas Zanriberg.", "zanriberg"),
    ("Jonas Zanriberg is at the helm of Yartasson Optics.", "zanriberg"),
    ("Jonas Zanriberg took over at Yartasson Optics.", "zanriberg"),
    ("Jonas Zanriberg leads Yartasson Optics.", "zanriberg"),
    ("Jonas Zanriberg runs Yartasson Optics.", "zanriberg"),
    ("The person in charge of Yartasson Optics is Jonas Zanriberg.", "zanriberg"),
    ("Jonas Zanriberg is in charge of Yartasson Optics.", "zanriberg"),
    ("Yartasson Optics has its seat in Haltaford.", "haltaford"),
    ("The head office of Yartasson Optics is in Haltaford.", "haltaford"),
    ("Haltaford is home to Yartasson Optics.", "haltaford"),
    ("Haltaford is the seat of Yartasson Optics.", "haltaford"),
    ("Yartasson Optics calls Haltaford its home.", "haltaford"),
    ("Yartasson Optics keeps its headquarters in Haltaford.", "haltaford"),
    ("Yartasson Optics moved its headquarters to Haltaford.", "haltaford"),
    ("You find the head office of Yartasson Optics in Haltaford.", "haltaford"),
    ("Yartasson Optics has been at home in Haltaford for years.", "haltaford"),
    ("Ultabase is released under the ISC licence.", "isc"),
    ("Ultabase comes with the ISC licence.", "isc"),
    ("The ISC licence applies to Ultabase.", "isc"),
    ("The ISC licence covers Ultabase.", "isc"),
    ("Ultabase is covered by the ISC licence.", "isc"),
    ("Anyone may use Ultabase under the ISC licence.", "isc"),
    ("Ultabase is free software under the terms of the ISC licence.", "isc"),
    ("Ultabase carries an ISC licence.", "isc"),
    ("Ultabase is licensed under ISC.", "isc"),
    ("The authors put Ultabase under the ISC licence.", "isc"),
    ("The licence chosen for Ultabase is ISC.", "isc"),
    ("Crinliwick Lines designed and manufactured the Ostmothar Flyer.", "crinliwick"),
    ("The Ostmothar Flyer was drawn and manufactured by Crinliwick Lines.", "crinliwick"),
]
UNRELATED = [
    "Jonas Zanriberg, a friend of Stefan, opened the fair.",
    "The Bragara 50 was sold to Kelliholm Industries.",
    "Yartasson Optics lost its chief executive in March.",
    "The mayor of Crinvestad spoke in Haltaford.",
    "Yartasson Optics makes lenses.",
    "The Fenliis sails from Haltaford to Crinvestad.",
    "The firm comes to Haltaford in May.",
    "Bellweather runs 112 shops in total.",
    "Parts for the Ostmothar Flyer are ordered from its manufacturer.",
]


@pytest.mark.parametrize(("sentence", "name"), STATED)
def test_whoever_stands_in_a_relation_is_read(sentence: str, name: str) -> None:
    found = relations_of(sentence)
    assert any(name in relation.value for relation in found), found
    assert all(name in relation.value for relation in found), "nobody else stands in it"


@pytest.mark.parametrize("sentence", UNRELATED)
def test_a_name_alone_is_no_relation(sentence: str) -> None:
    assert relations_of(sentence) == ()


@pytest.mark.parametrize("text", ["A " * 3000 + "mayor", "Mayor made by " + "Aa " * 3000, "maker " + "of a " * 3000])
def test_long_text_is_read_in_time_that_grows_with_it(text: str) -> None:
    relations_of(text)
