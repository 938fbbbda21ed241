"""Key words are put as a question; topics and whole questions stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.decomposition import plan_subtasks
from activities.research.phrased import as_question, asks_for_account, asks_for_property
from activities.research.questions import asks_for_one_thing
from activities.research.wanted import wanted
from schema.contracts.research import Brief

QUESTIONS = [
    ("Year of foundation of Yartasson Optics", "What is the year of foundation of Yartasson Optics?"),
    ("Memory needed for Ulgad?", "What is the memory needed for Ulgad?"),
    ("Mayor of Halmoholm", "Who is the mayor of Halmoholm?"),
    ("the CEO of Yartasson Optics", "Who is the CEO of Yartasson Optics?"),
    ("name of the mayor of Halmoholm", "Who is the mayor of Halmoholm?"),
    ("Give me the price of the Selrok 20.", "What is the price of the Selrok 20?"),
    ("Could you give me the name of the boss of Ulgad?", "Who is the boss of Ulgad?"),
    ("Ulgad founding year", "What is the founding year of Ulgad?"),
    ("Ulrinak last eruption year", "What is the last eruption year of Ulrinak?"),
    ("Ulrinak exclusion zone radius", "What is the exclusion zone radius of Ulrinak?"),
    ("Yardan Traverse start location town", "What is the start location town of Yardan Traverse?"),
    ("Crinlotte cheese place of origin", "What is the cheese place of origin of Crinlotte?"),
    ("default port Ulgad", "What is the default port of Ulgad?"),
    ("Ulgad tensile strength MPa", "What is the tensile strength of Ulgad, in MPa?"),
    ("architect Wexrieck Bridge", "Who is the architect of Wexrieck Bridge?"),
    ("year the Wexrieck Bridge opened", "In which year was the Wexrieck Bridge opened?"),
    ("Ulgad launched when", "When Ulgad launched?"),
    ("Request timeout in Ulgad", "What is the request timeout in Ulgad?"),
    ("Wingspan, Torriel warbler", "What is the wingspan of Torriel warbler?"),
    ("Ulgad: default port", "What is the default port of Ulgad?"),
    ("inhabitants of Halmoholm", "How many inhabitants of Halmoholm?"),
    ("Size of the workforce at Ulgad", "What is the size of the workforce at Ulgad?"),
    ("We bought the Selrok 20; what is its noise level?", "What is the noise level of Selrok 20?"),
]
QUESTIONS += [
    # Inquiries of several words, and what is said before and after them.
    (
        "For our outing, could you tell me how many of us may board the Norveis?",
        "How many of us may board the Norveis?",
    ),
    ("Could somebody tell me after how long Selmoflow drops a line?", "After how long Selmoflow drops a line?"),
    ("Might I ask on what port Corvida can be reached?", "On what port Corvida can be reached?"),
    ("I should like to know what a full-grown Karo finch weighs.", "What a full-grown Karo finch weighs?"),
    ("Would you kindly let me know what you charge for the Tarn?", "What you charge for the Tarn?"),
    ("Please confirm under what licence Corvida is published.", "Under what licence Corvida is published?"),
    ("I would be grateful to learn the founding year of Ulgad.", "What is the founding year of Ulgad?"),
    ("Kindly give the year in which the Haldaia was launched.", "In which year the Haldaia was launched?"),
    # Who does something.
    ("Please give me the name of the company that delivers Delvelon.", "Which company delivers Delvelon?"),
    ("Please name the firm that runs the Haldaia.", "Which firm runs the Haldaia?"),
    ("the person who leads Ulgad", "Who leads Ulgad?"),
    # Words that add nothing, and units.
    ("Halmoholm mayor name", "Who is the mayor of Halmoholm?"),
    ("density value Delvelon", "What is the density of Delvelon?"),
    ("Delvelon cure hours", "What is the cure of Delvelon, in hours?"),
    ("kW figure for Ulvek 20", "What is the figure of Ulvek 20, in kW?"),
    ("dB of the Ulvek 20", "What is the figure of Ulvek 20, in dB?"),
]
QUESTIONS += [
    # What it is about stands first.
    ("Ulvek 20 which manufacturer", "Which manufacturer of Ulvek 20?"),
    ("Ulgad who makes it", "Who makes Ulgad?"),
    ("Halmoholm who is mayor", "Who is mayor of Halmoholm?"),
    ("Ulgad Works how many employees", "How many employees of Ulgad Works?"),
    ("Ulvek 20 how loud", "How loud is Ulvek 20?"),
    ("The Ulvek 50, whose product is that?", "Whose product is Ulvek 50?"),
    ("Wexrieck Bridge designed by", "By whom was Wexrieck Bridge designed?"),
    # Contractions, thanks, and what adds nothing at the end.
    ("What's the mass of the Rasstix 20?", "What is the mass of the Rasstix 20?"),
    ("When was Ulgad founded, please?", "When was Ulgad founded?"),
    ("Could you give me the price of Ulgad for me, please?", "What is the price of Ulgad?"),
    ("Would you mind telling me on which port Ulgad listens?", "On which port Ulgad listens?"),
    ("Ulgad Works revenue last year", "What is the revenue of Ulgad Works?"),
    # Units, abbreviations and nouns that look like verbs or plurals.
    ("Delvelon strength in tension MPa", "What is the strength in tension of Delvelon, in MPa?"),
    ("Delvelon density kg/m3", "What is the density of Delvelon, in kg/m3?"),
    ("Delvezol t1/2 half-life", "What is the half-life of Delvezol?"),
    ("CEO Ulgad Works", "Who is the CEO of Ulgad Works?"),
    ("Ulgad Works headquarters", "What is the headquarters of Ulgad Works?"),
    ("Ulvek 50 cost", "What is the cost of Ulvek 50?"),
]
AS_THEY_ARE = [
    "Milk per wheel Rasrizac litres",
    "Python run tests parallel",
    "Redis start server",
    "Swiss cantons where French is spoken",
    "Python libraries which support async",
    "Companies which use Rust",
    "Who sings Thank You?",
    "How many people work for us?",
    "Python what is a decorator",
    "Django how do I add a model",
    "Redis when to use it",
    "IBM Research",
    "Limits of Python",
    "History of Python",
    "Python decorators",
    "Python decorators in practice",
    "Renewable energy in Europe",
    "Overview of the use of Redis in Europe",
    "Comparison of RAM use in Redis and Valkey",
    "Compare Redis and Valkey",
    "Impact of AI on the price of housing in Berlin",
    "Write a report on the price of gas in Europe",
    "Climate change",
    "What is Redis, and what is its licence?",
    "How high is the Eiffel Tower?",
    "With asyncio, can I get the result of a task twice?",
    "Do people who know what they want use Python?",
    "Corvida hours",
    "Have the prices of Corvida risen?",
    "Why do users want the price of Corvida?",
    "Corvida users want the price of Ulgad",
    "Explain the name mangling of Python",
]


QUESTIONS += [
    # Whatever somebody says of asking before he asks.
    (
        "I wonder what length of consultation preceded the Orlen Accord.",
        "What length of consultation preceded the Orlen Accord?",
    ),
    ("Would you kindly say what period is advised for Ulgad?", "What period is advised for Ulgad?"),
    ("So how many people had to testify at the Ulgad Trial?", "How many people had to testify at the Ulgad Trial?"),
    ("Is it known which person came up with Ulgad?", "Which person came up with Ulgad?"),
    ("Would it be possible to learn what kind of wares Ulgad houses?", "What kind of wares Ulgad houses?"),
    ("Our supplier would like to be told how much room Ulgad has.", "How much room Ulgad has?"),
    ("Kindly inform our group from what town one sets out on Ulgad.", "From what town one sets out on Ulgad?"),
    ("I would be interested in how long people waited for Ulgad.", "How long people waited for Ulgad?"),
    ("Might I enquire over how extended a period Ulgad ran?", "Over how extended a period Ulgad ran?"),
]


@pytest.mark.parametrize(("phrase", "question"), QUESTIONS)
def test_key_words_are_a_question(phrase: str, question: str) -> None:
    assert as_question(phrase) == question
    assert asks_for_one_thing(phrase)


@pytest.mark.parametrize("phrase", AS_THEY_ARE)
def test_topics_and_questions_stay(phrase: str) -> None:
    assert as_question(phrase) == phrase


@given(st.text(alphabet="aA1 ?.:,-éinof theWhat", max_size=40) | st.text(max_size=40))
def test_whatever_is_asked_is_read(phrase: str) -> None:
    assert as_question(phrase).strip() or not phrase.strip()
    wanted(phrase)


def test_an_account_that_is_asked_for_politely_is_no_property() -> None:
    assert as_question("Can you tell me how decorators work?") == "How decorators work?"
    assert not asks_for_property("Can you tell me how decorators work?")
    assert as_question("Write about how recursion") == "Write about how recursion"


def test_what_is_asked_for_in_key_words_has_a_subject_and_a_kind() -> None:
    assert wanted("clutch size Velveow wader").dimensions == {"count"}, "the size of a clutch is no length"
    assert wanted("Ulgad tensile strength MPa").subject == {"ulgad"}
    assert wanted("How much did Ulgad sell last year, in euros?").dimensions >= {"money"}
    assert wanted("How many people work at Ardroberg Optics?").subject == {"ardroberg", "optic"}, "a name stays whole"


@pytest.mark.parametrize(
    ("question", "subject", "dimensions"),
    [
        ("Which company produces Ulgad?", {"ulgad"}, {"name"}),
        ("In which year was Ulgad built?", {"ulgad"}, {"date"}),
        ("Where is Ulgad located and how high is it?", {"ulgad"}, {"name", "length"}),
        ("How much does Ulgad take in over the year?", {"ulgad"}, {"money", "count"}),
        ("Delvelon mg per day", {"delvelon"}, {"mass"}),
        ("Delvelon strength in tension MPa", {"delvelon"}, {"pressure"}),
        ("What's Ulgad going for?", {"ulgad"}, {"money"}),
        ("How much rain falls on Ulgad, in millimetres?", {"ulgad"}, {"count", "length"}),
        ("What licence fee applies to Ulgad?", {"ulgad"}, {"money", "name"}),
        ("When did Ulgad open & how long is it?", {"ulgad"}, {"date", "length", "time"}),
        ("When do the young of Ulgad hatch, after how many days?", {"ulgad"}, {"date", "time"}),
    ],
)
def test_a_question_has_one_subject_and_the_kinds_of_its_answers(
    question: str, subject: set[str], dimensions: set[str]
) -> None:
    asked = wanted(question)
    assert (set(asked.subject), set(asked.dimensions)) == (subject, dimensions)


def test_a_number_that_names_a_thing_answers_a_question_for_it() -> None:
    asked = wanted("On what port can Ulgad be reached?")
    assert wanted("What is the port of Ulgad?").numbered == "port"
    assert wanted("Which company owns Ulgad?").numbered is None
    assert asked.answered_by("Out of the box, Ulgad binds to TCP port 1634.") > asked.answered_by("Ulgad is for ports.")


def test_key_words_after_a_question_are_a_question_of_their_own() -> None:
    task = "What is the timeout of Ulgad, and default port Ulgad?"
    assert [each.question for each in plan_subtasks(Brief(task=task, agents_max=4))] == [
        "What is the timeout of Ulgad?",
        "Default port Ulgad?",
    ]


@pytest.mark.parametrize(
    "question",
    [
        "When the pump fails, what tells me which valve is open?",
        "Is there a way to tell mypy which files to check?",
        "Do people who know what they want use Python?",
        "Explain what a deque is",
        "Is it legal to ask what salary a candidate earned in California?",
        "Are employers allowed to ask what year you were born?",
        "Can radiocarbon dating tell how old a diamond is?",
        "Will my bank tell me when a payment from PayPal arrives?",
        "Can a neural network learn when to stop training?",
        "I told my boss when the project would end. Was that a breach of contract?",
        "They say when it rains it pours: what is the origin?",
        "Now when I run pip install numpy it fails, why?",
        "Can you explain when to use a list and when a tuple in Python?",
    ],
)
def test_what_is_no_courtesy_stays(question: str) -> None:
    assert as_question(question) == question


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("How long must Morveithyl Balm stay on the skin?", {"morveithyl", "balm"}),
        ("Delviolane Salve main ingredient carrier", {"delviolan", "salv"}),
        ("Which crime was the person in Delliettiver Affair accused of?", {"delliettiv", "affair"}),
        ("Ulloapodea affected organ", {"ulloapodea"}),
        ("Ulloapodea affected organ?", {"ulloapodea"}),
        ("Backup of databases", set()),
        ("How Many Employees Does Google Have?", {"googl"}),
        ("How do generators work in Python?", set()),
    ],
)
def test_a_name_is_whole_and_seen_wherever_it_stands(question: str, subject: set[str]) -> None:
    assert wanted(question).subject == subject


@pytest.mark.parametrize(
    ("question", "account"),
    [
        ("How does Ulgad work?", True),
        ("Tell me about Ulgad.", True),
        ("Could you tell me the history of Ulgad?", True),
        ("Explain Ulgad", True),
        ("Why did Ulgad close?", True),
        ("What are the risks of Ulgad?", True),
        ("What is Ulgad?", True),
        ("Could you tell me the reason for the fall of Rome?", True),
        ("What is burned in Ulgad?", False),
        ("Whereabouts do I find Ulgad?", False),
        ("Ulgad hut keeper name?", False),
        ("Could you name the substance that Ulgad is made of?", False),
    ],
)
def test_a_value_is_asked_for_or_an_account(question: str, account: bool) -> None:
    assert asks_for_account(question) is account
