"""Planted pairs: two documents about one thing that contradict each other, and pairs that only look as if they did."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Two documents and a question about what they say."""

    question: str
    left: str
    right: str
    values: tuple[str, str] = ("", "")
    """What a report that discloses the contradiction shows."""
    forms: tuple[str, str] = ("txt", "md")

    def files(self, name: str) -> dict[str, str]:
        """Return the two documents by file name."""
        return {
            f"{name}-{side}.{form}": written(text, form, f"Note {side} {name}")
            for side, text, form in (("a", self.left, self.forms[0]), ("b", self.right, self.forms[1]))
        }


def written(text: str, form: str, title: str) -> str:
    """Return a text as a file of the wanted form."""
    if form == "md":
        return f"# {title}\n\n[![build](https://x.example/b.svg)](https://x.example)\n\n{text}\n"
    if form == "html":
        body = "".join(f"<p>{part}</p>" for part in text.split("\n\n"))
        return (
            f"<!doctype html><html><head><title>{title}</title></head><body><nav><a href='/'>Home</a></nav>"
            f"<main><h1>{title}</h1>{body}</main><footer>Contact</footer></body></html>"
        )
    return text + "\n"


CONTRADICTIONS = [
    Pair(
        "How heavy is the Heliodyne X2?",
        "The Heliodyne X2 is a folding bicycle for commuters. It weighs 11.4 kg without pedals.",
        "Our editors rode the Heliodyne X2 through the city. On our scales the Heliodyne X2 has a weight of 13.2 kg.",
        ("11.4 kg", "13.2 kg"),
        ("txt", "html"),
    ),
    Pair(
        "When was Norvik Shipping established?",
        "Norvik Shipping operates ferries in the north. Norvik Shipping was founded in 1921 by two brothers.",
        "The archive has papers of many companies. Norvik Shipping was established in 1927, as its register shows.",
        ("1921", "1927"),
        ("md", "txt"),
    ),
    Pair(
        "How many people work for Calder Optics?",
        "Calder Optics makes lenses in Jena. The company employs 1,200 people.",
        "Among the employers of the region is Calder Optics. Calder Optics has a workforce of 860.",
        ("1,200", "860"),
    ),
    Pair(
        "What is the price of the Lumo desk lamp?",
        "The Lumo desk lamp costs CHF 149. It comes in black and white.",
        "Among the lamps we compared, the Lumo desk lamp sells for CHF 189 and has a heavy base.",
        ("149", "189"),
        ("html", "md"),
    ),
    Pair(
        "What share of its electricity does Tarsia get from wind?",
        "Tarsia is an island state. Wind turbines supply 34% of the electricity of Tarsia.",
        "The energy agency has new figures. In Tarsia, wind accounts for 27 percent of electricity.",
        ("34%", "27 percent"),
    ),
    Pair(
        "Which Python version does Quillbase need?",
        "Quillbase is a storage library. Quillbase requires Python 3.9 or later.",
        "Before you install it, check your interpreter. Quillbase needs Python 3.11 or newer.",
        ("3.9", "3.11"),
        ("md", "md"),
    ),
    Pair(
        "Who manufactures the Orlen pump?",
        "The Orlen pump is used in mines. The Orlen pump is manufactured by Kestrel Hydraulics.",
        "Spare parts are easy to get. The Orlen pump is made by Drava Werke in Maribor.",
        ("Kestrel Hydraulics", "Drava Werke"),
    ),
    Pair(
        "How long is the Sarn bridge?",
        "The Sarn bridge crosses the river at Sarn. The bridge has a length of 412 m.",
        "Cyclists like the Sarn bridge. With 385 metres, the Sarn bridge is the longest of the valley.",
        ("412 m", "385 metres"),
        ("txt", "html"),
    ),
    Pair(
        "How fast can the Pelican ferry go?",
        "The Pelican ferry connects two islands. The Pelican ferry reaches a speed of 34 knots.",
        "We crossed twice. According to its captain, the Pelican ferry has a top speed of 28 knots.",
        ("34 knots", "28 knots"),
    ),
    Pair(
        "How many cylinders does the Torva 4 engine have?",
        "The Torva 4 is a diesel engine. It has six cylinders and is cooled by air.",
        "The Torva 4 was tested on a bench. The Torva 4 has eight cylinders.",
        ("six cylinders", "eight cylinders"),
    ),
    Pair(
        "Who is the chief executive of Fenwick Foods?",
        "Fenwick Foods sells frozen vegetables. The CEO of Fenwick Foods is Maria Olsen.",
        "A new plant opens soon. Peter Brandt is the chief executive of Fenwick Foods.",
        ("Maria Olsen", "Peter Brandt"),
        ("html", "txt"),
    ),
    Pair(
        "Where does Aldis Robotics have its headquarters?",
        "Aldis Robotics builds arms for factories. Aldis Robotics is headquartered in Lyon.",
        "The fair has many exhibitors. Aldis Robotics, based in Grenoble, shows a new arm.",
        ("Lyon", "Grenoble"),
    ),
    Pair(
        "How many inhabitants does Velmar have?",
        "Velmar is a town by a lake. It has a population of 48,000.",
        "Tourism grows every year. Velmar has 61,000 inhabitants and two theatres.",
        ("48,000", "61,000"),
    ),
    Pair(
        "What is the battery life of the Nimbus watch?",
        "The Nimbus watch is for runners. Its battery lasts 14 days.",
        "We wore the watch for a month. The battery of the Nimbus watch lasted 9 days.",
        ("14 days", "9 days"),
        ("md", "html"),
    ),
    Pair(
        "What is the default timeout of the Corvid client?",
        "The Corvid client speaks HTTP. The default timeout of the Corvid client is 5 seconds.",
        "Timeouts are a common trap. The Corvid client has a default timeout of 30 seconds.",
        ("5 seconds", "30 seconds"),
        ("md", "txt"),
    ),
    Pair(
        "How high is Mount Arvel?",
        "Mount Arvel is the highest peak of the range. Mount Arvel rises to 3,214 m.",
        "The hut is open in summer. Mount Arvel has a height of 3,342 m.",
        ("3,214 m", "3,342 m"),
    ),
    Pair(
        "How much fuel does the Borealis generator burn?",
        "The Borealis generator is for building sites. The Borealis generator consumes 3.2 litres per hour.",
        "We ran it for a week. The fuel consumption of the Borealis generator was 4.6 litres an hour.",
        ("3.2 litres", "4.6 litres"),
    ),
    Pair(
        "What revenue does Castell AG have?",
        "Castell AG is listed in Zurich. Castell AG had sales of 84 million CHF in 2023.",
        "Analysts are pleased. In 2023, the revenue of Castell AG was 97 million CHF.",
        ("84 million", "97 million"),
        ("txt", "txt"),
    ),
    Pair(
        "When was the Halden tunnel opened?",
        "The Halden tunnel links two valleys. The Halden tunnel opened on 4 June 2011.",
        "Traffic has doubled. The tunnel at Halden is well known: the Halden tunnel was inaugurated in March 2013.",
        ("2011", "2013"),
    ),
    Pair(
        "Under which licence is Gridlet published?",
        "Gridlet draws tables. Gridlet is released under the MIT License.",
        "Lawyers should read this. Gridlet is licensed under the Apache License.",
        ("MIT", "Apache"),
        ("md", "html"),
    ),
    Pair(
        "In which language is Ferrodb written?",
        "Ferrodb is a database for time series. Ferrodb is written in Rust.",
        "We looked at the code. Ferrodb is implemented in Zig and has few dependencies.",
        ("Rust", "Zig"),
    ),
    Pair(
        "How efficient is the Solenne S5 panel?",
        "The Solenne S5 is a solar panel. The Solenne S5 has an efficiency of 23.1%.",
        "In the laboratory the Solenne S5 showed an efficiency of 20.4%, less than expected.",
        ("23.1%", "20.4%"),
    ),
    Pair(
        "How many seats does the Opal theatre have?",
        "The Opal theatre was renovated. The Opal theatre has 640 seats.",
        "Concerts are often sold out, as the Opal theatre seats 720 people.",
        ("640", "720"),
        ("html", "html"),
    ),
    Pair(
        "At what temperature does Verdanol boil?",
        "Verdanol is a solvent. Verdanol boils at 78 °C.",
        "Handle it with care. The boiling point of Verdanol is 92 °C.",
        ("78 °C", "92 °C"),
    ),
    Pair(
        "How long is the warranty on the Kolibri drill?",
        "The Kolibri drill comes with a case. The Kolibri drill has a warranty of two years.",
        "Customers ask about service. The warranty of the Kolibri drill is 5 years.",
        ("two years", "5 years"),
    ),
    Pair(
        "How much memory does the Tessera board have?",
        "The Tessera board is for learners. It has 512 MB of memory.",
        "We measured the start time. The Tessera board has 256 MB of memory and boots fast.",
        ("512 MB", "256 MB"),
    ),
    Pair(
        "Who wrote The Salt Road?",
        "The Salt Road is a novel about miners. The Salt Road was written by Ana Petrov.",
        "Prizes were given in May. Ivo Maras wrote The Salt Road in one winter.",
        ("Ana Petrov", "Ivo Maras"),
    ),
    Pair(
        "Is the Foolib client safe to use from several threads?",
        "Foolib is small. The Foolib client library is thread-safe.",
        "There are traps. The Foolib client library is not thread-safe.",
        ("is thread-safe", "not thread-safe"),
        ("md", "md"),
    ),
]

NEAR_MISSES = [
    Pair(
        "How high was unemployment in Tarsia?",
        "Unemployment in Tarsia was 4.1% in 2021.",
        "Unemployment in Tarsia was 5.6% in 2023.",
    ),
    Pair(
        "What power does the Zephyr-9 produce?",
        "The Zephyr-9 engine produces 420 kW.",
        "The Zephyr-8 engine produces 380 kW.",
    ),
    Pair(
        "How long is the Sarn bridge?",
        "The Sarn bridge is 1.5 km long.",
        "The length of the Sarn bridge is 1,500 m.",
    ),
    Pair(
        "What does the Lumo lamp weigh and carry?",
        "The Lumo crane weighs 310 kg.",
        "The Lumo crane lifts 290 kg.",
    ),
    Pair(
        "How much power does the Corto heater draw?",
        "The Corto heater draws 2 kW at half load.",
        "The Corto heater draws 4 kW at full load.",
    ),
    Pair(
        "What power does the Zephyr-9 produce?",
        "The Zephyr-9 produces between 400 and 440 kW.",
        "The Zephyr-9 produces 420 kW.",
    ),
    Pair(
        "How many people work for Calder Optics?",
        "Calder Optics employs about 1,200 people.",
        "Calder Optics employs 1,187 people.",
    ),
    Pair(
        "How large is the population of Velmar?",
        "Velmar has a population of 1.2 million.",
        "Velmar has 1,204,000 inhabitants.",
    ),
    Pair(
        "What does a ticket for the Opal theatre cost?",
        "An adult ticket for the Opal theatre costs CHF 24.",
        "A child ticket for the Opal theatre costs CHF 12.",
    ),
    Pair(
        "How many plants does Acme have?",
        "Acme has 12 plants in Europe.",
        "Acme has 9 offices in Europe.",
    ),
    Pair(
        "When was Norvik Shipping founded?",
        "Norvik Shipping was founded in 1921.",
        "Norvik Shipping acquired its first tanker in 1938.",
    ),
    Pair(
        "When was the Halden tunnel opened?",
        "The Halden tunnel opened on 4 June 2011.",
        "The Halden tunnel was opened in June 2011.",
    ),
    Pair(
        "Who makes the Orlen pump?",
        "The Orlen pump is made by Kestrel Hydraulics.",
        "The Orlen valve is made by Drava Werke.",
    ),
    Pair(
        "How wide and long is the Sarn bridge?",
        "The Sarn bridge is 412 m long.",
        "The Sarn bridge is 14 m wide.",
    ),
    Pair(
        "What is the diameter of Venus?",
        "Venus is 12,104 km in diameter.",
        "Mars is 6,779 km in diameter.",
    ),
    Pair(
        "How fast does the Pelican ferry go?",
        "The Pelican ferry reaches 34 knots.",
        "The Pelican ferry reaches a speed of 63 km/h.",
    ),
    Pair(
        "How efficient is the Solenne S5 panel?",
        "The Solenne S5 has an efficiency of 23%.",
        "The Solenne S5 has an efficiency of 23.1%.",
    ),
    Pair(
        "How long does the battery of the Nimbus watch last?",
        "The battery of the Nimbus watch lasts up to 14 days.",
        "The battery of the Nimbus watch lasts 11 days.",
    ),
    Pair(
        "What is the price of the Gridlet plan?",
        "The Gridlet Basic plan costs 9 USD per month.",
        "The Gridlet Enterprise plan costs 49 USD per month.",
    ),
    Pair(
        "How much snow falls in Velmar?",
        "In winter, the average temperature in Velmar is -2 °C.",
        "In summer, the average temperature in Velmar is 21 °C.",
    ),
    Pair(
        "What does Castell AG export?",
        "Castell AG had exports of 12 million CHF.",
        "Castell AG had imports of 31 million CHF.",
    ),
    Pair(
        "Where does Aldis Robotics work?",
        "Aldis Robotics is headquartered in Lyon.",
        "Aldis Robotics was founded in Grenoble.",
    ),
    Pair(
        "What rent is paid for flats?",
        "Rents in Basel rose by 3.2%.",
        "Rents in Geneva rose by 5.1%.",
    ),
    Pair(
        "Which Python version does Quillbase need?",
        "Quillbase requires Python 3.9 or later.",
        "Inkbase requires Python 3.11 or later.",
    ),
    Pair(
        "What does the Kolibri drill weigh?",
        "The Kolibri drill weighs 1.2 kg.",
        "The battery of the Kolibri drill weighs 0.4 kg.",
    ),
    Pair(
        "When were versions of Ferrodb released?",
        "Ferrodb 2.0 was released in 2019.",
        "Ferrodb 3.0 was released in 2022.",
    ),
    Pair(
        "What is the price of the Lumo lamp?",
        "The Lumo lamp costs CHF 149 in Switzerland.",
        "The Lumo lamp costs CHF 119 in Germany.",
    ),
    Pair(
        "How much does the Borealis generator burn?",
        "The Borealis generator burns 3.2 litres per hour.",
        "The tank of the Borealis generator holds 15 litres.",
    ),
]
