"""Where a name ends on a line that goes on: with rooms, persons, groups, remarks, in the languages of the schools."""

from __future__ import annotations

import pytest

from pocai.timetable.name_end import end_of_name, recurring_codes


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("Statistics (Lecture)", " Okonkwo B 12"),
        ("Statica (Esercitazione)", " Bellini Edificio C, aula 3"),
        ("STA", " – Tutorial – K118"),
        ("STA", " – Tutorial – Room 9"),
        ("Physik", " Fr. Ahrens 14"),
        ("Physik", " Hr. Ahrens – Aula"),
        ("Sport", " Frau Ahrens"),
        ("Redes", " Sala 12 MART semanas alternadas"),
        ("Redes", " Sala2.18"),
        ("Redes", " Sala de reuniões"),
        ("Zoologie", " Geb. F, R. 210"),
        ("Latin", " Lecture Theatre 3"),
        ("Latin", " Room 4 odd weeks"),
        ("MEC-1", " (Bloco C sala 1)"),
        ("Óptica", " (Prof. N. Alvarez Sala 31 Grupo D)"),
        ("Ed. Civ.", " Ins. Marchetti"),
        ("Geschichte", " K. Ahrens"),
        ("7A Maths", " Room 3"),
        ("Genética", " Auditório A"),
        ("Contabilidade", " Anf. N Profª Damasceno"),
        ("Seminario HAR", " A-342 Profa. F. Arizmendi"),
        ("Conférence BIOLOGIE", " B. Delacombe Salle info 5"),
        ("Deutsch", " HS 4"),
    ],
)
def test_what_follows_a_name(name: str, rest: str) -> None:
    assert end_of_name(name + rest) == len(name)


@pytest.mark.parametrize(
    "text",
    [
        "English Literature",
        "Letter Work (Sounds)",
        "Reading – Group work",
        "Deutsch B1",
        "Maths set 2",
        "Choir (Years 3 and 4)",
        "Room 12",
        "Mr Green",
        "Labor Analysis I",
        "Study in Room 3",
        "Break",
        "",
    ],
)
def test_a_name_that_goes_to_the_end(text: str) -> None:
    assert end_of_name(text) == 0


def test_company_is_part_of_a_name() -> None:
    assert end_of_name("Story with Mr Green today") == 0


def test_codes_that_end_lines_with_different_beginnings_are_rooms() -> None:
    codes = recurring_codes(["7 B A284", "4ºA A284", "8 C A284", "All LV2", "Esp LV2", "Sport H28", "A284", ""])
    assert codes == {"A284"}
    assert end_of_name("7 B A284 revision", codes) == len("7 B")
    assert end_of_name("7 B A284 revision") == 0
