"""Layouts of real timetables, drawn with characters, and the blocks that stand on them.

The blocks were first written out by the reader and then checked by eye against each drawing.

A block is written ``Mon 09:00-09:50 Maths (notes)``; ``?`` stands for a time that is printed nowhere.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawn import drawn

from pocai.documents.page import Document
from pocai.settings import SchoolHours
from pocai.timetable.assemble import assemble, assemble_page
from pocai.timetable.timetable import TimeBlock

LAYOUTS: dict[str, tuple[str, str]] = {
    "plain unruled": (
        """
Class 3B    Spring term 2025

             Mon        Tue        Wed        Thu        Fri
9.00-9.50    Maths      English    Art        Maths      PE
9.50-10.40   Science    History    Art        French     Music
10.40-11.00  Break      Break      Break      Break      Break
11.00-11.50  French     Maths      Geography  English    Maths
1.15-2.05    Sport      Drama      Maths      Sport      IT
""",
        """
Mon: 09:00-09:50 Maths; 09:50-10:40 Science; 10:40-11:00 Break; 11:00-11:50 French; 13:15-14:05 Sport
Tue: 09:00-09:50 English; 09:50-10:40 History; 10:40-11:00 Break; 11:00-11:50 Maths; 13:15-14:05 Drama
Wed: 09:00-09:50 Art; 09:50-10:40 Art; 10:40-11:00 Break; 11:00-11:50 Geography; 13:15-14:05 Maths
Thu: 09:00-09:50 Maths; 09:50-10:40 French; 10:40-11:00 Break; 11:00-11:50 English; 13:15-14:05 Sport
Fri: 09:00-09:50 PE; 09:50-10:40 Music; 10:40-11:00 Break; 11:00-11:50 Maths; 13:15-14:05 IT
""",
    ),
    "unruled multiline": (
        """
             Monday          Tuesday        Wednesday
09:00        Maths           English        Art and
10:00        Mr Gray         Room 4         design

10:00        History         PE             French
11:00        Room 12                        Miss Lee

11:00        Choir           Chess          Drama
12:00
""",
        """
Mon: 09:00-10:00 Maths (Mr Gray); 10:00-11:00 History (Room 12); 11:00-12:00 Choir
Tue: 09:00-10:00 English (Room 4); 10:00-11:00 PE; 11:00-12:00 Chess
Wed: 09:00-10:00 Art and design; 10:00-11:00 French (Miss Lee); 11:00-12:00 Drama
""",
    ),
    "headings": (
        """
Timetable of group 7

Monday
8.15-9.00  German
9.00-9.45  Maths

Tuesday
8.15-9.00  Sport
9.00-9.45  Biology
9.45-10.30  Art
""",
        """
Mon: 08:15-09:00 German; 09:00-09:45 Maths
Tue: 08:15-09:00 Sport; 09:00-09:45 Biology; 09:45-10:30 Art
""",
    ),
    "day only": (
        """
Our day

8.45   Registration
9.00   Phonics
10.15  Break
10.30  Maths
12.00  Lunch
""",
        """
---: 08:45-09:00 Registration; 09:00-10:15 Phonics; 10:15-10:30 Break; 10:30-12:00 Maths; 12:00-? Lunch
""",
    ),
    "periods key": (
        """
+------+---------+---------+---------+---------+---------+
|      | Mo      | Di      | Mi      | Do      | Fr      |
+------+---------+---------+---------+---------+---------+
| 1    | Deutsch | Mathe   | Kunst   | Sport   | Mathe   |
+------+---------+---------+---------+---------+---------+
| 2    | Mathe   | Deutsch | Kunst   | Sport   | Musik   |
+------+---------+---------+---------+---------+---------+
| 3    | Sach    | Sach    | Deutsch | Mathe   | Deutsch |
+------+---------+---------+---------+---------+---------+

1. Stunde: 8.00 - 8.45
2. Stunde: 8.50 - 9.35
3. Stunde: 9.55 - 10.40
""",
        """
Mon: 08:00-08:45 Deutsch; 08:50-09:35 Mathe; 09:55-10:40 Sach
Tue: 08:00-08:45 Mathe; 08:50-09:35 Deutsch; 09:55-10:40 Sach
Wed: 08:00-08:45 Kunst; 08:50-09:35 Kunst; 09:55-10:40 Deutsch
Thu: 08:00-08:45 Sport; 08:50-09:35 Sport; 09:55-10:40 Mathe
Fri: 08:00-08:45 Mathe; 08:50-09:35 Musik; 09:55-10:40 Deutsch
""",
    ),
    "incell": (
        """
+-----------------+-----------------+-----------------+
| Monday          | Tuesday         | Wednesday       |
+-----------------+-----------------+-----------------+
| 9.00-10.00      | 9.00-9.45       | 9.00-11.00      |
| Yoga            | Pilates         | Hiking          |
+-----------------+-----------------+-----------------+
| 10.00-11.30     | 10.00-11.00     | 11.00-12.00     |
| Boxing          | Zumba           | Rest            |
+-----------------+-----------------+-----------------+
""",
        """
Mon: 09:00-10:00 Yoga; 10:00-11:30 Boxing
Tue: 09:00-09:45 Pilates; 10:00-11:00 Zumba
Wed: 09:00-11:00 Hiking; 11:00-12:00 Rest
""",
    ),
    "letters": (
        """
+------+-----------+-----+-----------+
|      | 9-10      |10-  | 10.30-12  |
|      |           |10.30|           |
+------+-----------+-----+-----------+
| Mon  | Maths     |  B  | Art       |
+------+-----------+-----+-----------+
| Tue  | English   |  R  | PE        |
+------+-----------+-----+-----------+
| Wed  | French    |  E  | Music     |
+------+-----------+-----+-----------+
| Thu  | Maths     |  A  | History   |
+------+-----------+-----+-----------+
| Fri  | Science   |  K  | Drama     |
+------+-----------+-----+-----------+
""",
        """
Mon: 09:00-10:00 Maths; 10:00-10:30 BREAK; 10:30-12:00 Art
Tue: 09:00-10:00 English; 10:00-10:30 BREAK; 10:30-12:00 PE
Wed: 09:00-10:00 French; 10:00-10:30 BREAK; 10:30-12:00 Music
Thu: 09:00-10:00 Maths; 10:00-10:30 BREAK; 10:30-12:00 History
Fri: 09:00-10:00 Science; 10:00-10:30 BREAK; 10:30-12:00 Drama
""",
    ),
    "single letters": (
        """
+-------+-------+-------+-------+-------+-------+
|       | M     | T     | W     | T     | F     |
+-------+-------+-------+-------+-------+-------+
| 8-9   | Eng   | Mat   | Sci   | Eng   | Art   |
+-------+-------+-------+-------+-------+-------+
| 9-10  | Mat   | Eng   | Art   | Sci   | PE    |
+-------+-------+-------+-------+-------+-------+
""",
        """
Mon: 08:00-09:00 Eng; 09:00-10:00 Mat
Tue: 08:00-09:00 Mat; 09:00-10:00 Eng
Wed: 08:00-09:00 Sci; 09:00-10:00 Art
Thu: 08:00-09:00 Eng; 09:00-10:00 Sci
Fri: 08:00-09:00 Art; 09:00-10:00 PE
""",
    ),
    "two weeks": (
        """
Week A
+--------+-------+-------+-------+
|        | Mon   | Tue   | Wed   |
+--------+-------+-------+-------+
| 9-10   | Eng   | Mat   | Sci   |
+--------+-------+-------+-------+
| 10-11  | Mat   | Eng   | Art   |
+--------+-------+-------+-------+

Week B
+--------+-------+-------+-------+
|        | Mon   | Tue   | Wed   |
+--------+-------+-------+-------+
| 9-10   | Art   | Mat   | Sci   |
+--------+-------+-------+-------+
| 10-11  | Mat   | PE    | Art   |
+--------+-------+-------+-------+
""",
        """
# week A
Mon: 09:00-10:00 Eng; 10:00-11:00 Mat
Tue: 09:00-10:00 Mat; 10:00-11:00 Eng
Wed: 09:00-10:00 Sci; 10:00-11:00 Art
# week B
Mon: 09:00-10:00 Art; 10:00-11:00 Mat
Tue: 09:00-10:00 Mat; 10:00-11:00 PE
Wed: 09:00-10:00 Sci; 10:00-11:00 Art
""",
    ),
    "classes columns": (
        """
Monday
+--------+-------+-------+-------+
|        | 1A    | 1B    | 1C    |
+--------+-------+-------+-------+
| 9-10   | Eng   | Mat   | Sci   |
+--------+-------+-------+-------+
| 10-11  | Mat   | Eng   | Art   |
+--------+-------+-------+-------+
""",
        """
# 1A
Mon: 09:00-10:00 Eng; 10:00-11:00 Mat
# 1B
Mon: 09:00-10:00 Mat; 10:00-11:00 Eng
# 1C
Mon: 09:00-10:00 Sci; 10:00-11:00 Art
""",
    ),
    "time day rows": (
        """
+-----------+---------------+-----------+
| Day       | Time          | Lesson    |
+-----------+---------------+-----------+
| Monday    | 9.00-10.00    | Maths     |
|           +---------------+-----------+
|           | 10.00-11.00   | English   |
+-----------+---------------+-----------+
| Tuesday   | 9.00-10.00    | Art       |
|           +---------------+-----------+
|           | 10.00-11.00   | Music     |
+-----------+---------------+-----------+
""",
        """
Mon: 09:00-10:00 Maths; 10:00-11:00 English
Tue: 09:00-10:00 Art; 10:00-11:00 Music
""",
    ),
    "bars unruled": (
        """
            Monday     Tuesday    Wednesday   Thursday   Friday
8.30-9.00                       Register
9.00-10.00  Maths      English    Art         Maths      PE
10.00-10.15                       BREAK
10.15-11.15  Latin      Choir      Art         French     Music
12.15-1.15                        LUNCH
1.15-2.15   Music      PE         Maths       Art        Games
""",
        """
Mon: 08:30-09:00 Register; 09:00-10:00 Maths; 10:00-10:15 BREAK; 10:15-11:15 Latin; 12:15-13:15 LUNCH; 13:15-14:15 Music
Tue: 08:30-09:00 Register; 09:00-10:00 English; 10:00-10:15 BREAK; 10:15-11:15 Choir; 12:15-13:15 LUNCH; 13:15-14:15 PE
Wed: 08:30-09:00 Register; 09:00-10:00 Art; 10:00-10:15 BREAK; 10:15-11:15 Art; 12:15-13:15 LUNCH; 13:15-14:15 Maths
Thu: 08:30-09:00 Register; 09:00-10:00 Maths; 10:00-10:15 BREAK; 10:15-11:15 French; 12:15-13:15 LUNCH; 13:15-14:15 Art
Fri: 08:30-09:00 Register; 09:00-10:00 PE; 10:00-10:15 BREAK; 10:15-11:15 Music; 12:15-13:15 LUNCH; 13:15-14:15 Games
""",
    ),
    "daydate": (
        """
+-----------+----------------+----------------+
|           | Monday 3 March | Tuesday 4 March|
+-----------+----------------+----------------+
| 9.00      | Maths          | English        |
+-----------+----------------+----------------+
| 10.00     | Break          | Break          |
+-----------+----------------+----------------+
| 10.20     | Art            | PE             |
+-----------+----------------+----------------+
| 11.30     | Home           | Home           |
+-----------+----------------+----------------+
""",
        """
Mon: 09:00-10:00 Maths; 10:00-10:20 Break; 10:20-11:30 Art; 11:30-? Home
Tue: 09:00-10:00 English; 10:00-10:20 Break; 10:20-11:30 PE; 11:30-? Home
""",
    ),
    "period and time": (
        """
+----+-------------+---------+---------+---------+
|    | Time        | Monday  | Tuesday | Wed     |
+----+-------------+---------+---------+---------+
| 1  | 8.50-9.50   | Maths   | English | Art     |
+----+-------------+---------+---------+---------+
| 2  | 9.50-10.50  | French  | Science | Maths   |
+----+-------------+---------+---------+---------+
|    | 10.50-11.10 |          Break              |
+----+-------------+---------+---------+---------+
| 3  | 11.10-12.10 | PE      | PE      | Music   |
+----+-------------+---------+---------+---------+
""",
        """
Mon: 08:50-09:50 Maths; 09:50-10:50 French; 10:50-11:10 Break; 11:10-12:10 PE
Tue: 08:50-09:50 English; 09:50-10:50 Science; 10:50-11:10 Break; 11:10-12:10 PE
Wed: 08:50-09:50 Art; 09:50-10:50 Maths; 10:50-11:10 Break; 11:10-12:10 Music
""",
    ),
    "down two header rows": (
        """
+-------+-----------+-----------+-------+-----------+
|       | 1         | 2         |       | 3         |
|       +-----------+-----------+-------+-----------+
|       | 8.00-8.45 | 8.50-9.35 |       | 9.55-10.40|
+-------+-----------+-----------+-------+-----------+
| Mo    | Mathe     | Deutsch   |       | Kunst     |
+-------+-----------+-----------+ Pause +-----------+
| Di    | Sport     | Sport     |       | Mathe     |
+-------+-----------+-----------+-------+-----------+
""",
        """
Mon: 08:00-08:45 Mathe; 08:50-09:35 Deutsch; 09:35-09:55 Pause; 09:55-10:40 Kunst
Tue: 08:00-08:45 Sport; 08:50-09:35 Sport; 09:35-09:55 Pause; 09:55-10:40 Mathe
""",
    ),
    "ticks down": (
        """
+-------+-------+-------+-------+-------+-------+-------+
|       | 8     | 9     | 10    | 11    | 12    | 13    |
+-------+-------+-------+-------+-------+-------+-------+
| Mon   |       | Algebra       |       | Physics lab   |
+-------+-------+---------------+-------+---------------+
| Tue   | Chem          |       | Algebra       |       |
+-------+---------------+-------+---------------+-------+
| Wed   |       |       | Seminar               |       |
+-------+-------+-------+-----------------------+-------+
""",
        """
Mon: 09:00-11:00 Algebra; 12:00-? Physics lab
Tue: 08:00-10:00 Chem; 11:00-13:00 Algebra
Wed: 10:00-13:00 Seminar
""",
    ),
    "exam rows": (
        """
+-----------+---------------+-----------+--------+
| Day       | Time          | Subject   | Room   |
+-----------+---------------+-----------+--------+
| Monday    | 9.00-10.00    | Maths     | B12    |
+-----------+---------------+-----------+--------+
| Monday    | 10.00-11.00   | English   | B13    |
+-----------+---------------+-----------+--------+
| Tuesday   | 9.00-10.00    | Art       | Hall   |
+-----------+---------------+-----------+--------+
| Wednesday | 10.00-11.00   | Music     | Hall   |
+-----------+---------------+-----------+--------+
""",
        """
Mon: 09:00-10:00 Maths (B12); 10:00-11:00 English (B13)
Tue: 09:00-10:00 Art (Hall)
Wed: 10:00-11:00 Music (Hall)
""",
    ),
    "list columns": (
        """
+---------------+-----------+--------+
| Time          | Activity  | Room   |
+---------------+-----------+--------+
| 9.00-10.00    | Maths     | B12    |
+---------------+-----------+--------+
| 10.00-11.00   | English   | B13    |
+---------------+-----------+--------+
| 11.00-12.00   | Art       | Hall   |
+---------------+-----------+--------+
""",
        """
---: 09:00-10:00 Maths (B12); 10:00-11:00 English (B13); 11:00-12:00 Art (Hall)
""",
    ),
    "down unruled": (
        """
          9.00-10.00   10.00-11.00  11.00-11.30  11.30-12.30
Monday    Maths        English      Break        Art
Tuesday   English      Maths        Break        PE
Friday    Maths        History      Break        Music
""",
        """
Mon: 09:00-10:00 Maths; 10:00-11:00 English; 11:00-11:30 Break; 11:30-12:30 Art
Tue: 09:00-10:00 English; 10:00-11:00 Maths; 11:00-11:30 Break; 11:30-12:30 PE
Fri: 09:00-10:00 Maths; 10:00-11:00 History; 11:00-11:30 Break; 11:30-12:30 Music
""",
    ),
    "rows only": (
        """
+----------------------------------------------------+
|              Monday      Tuesday      Wednesday    |
+----------------------------------------------------+
| 9.00-9.45    Maths       English      Art          |
|              Mr A        Mrs B        Room 5       |
+----------------------------------------------------+
| 9.45-10.30   History     French       Maths        |
+----------------------------------------------------+
| 10.30-10.45             BREAK                      |
+----------------------------------------------------+
| 10.45-11.30  PE          PE           Music        |
+----------------------------------------------------+
""",
        """
Mon: 09:00-09:45 Maths (Mr A); 09:45-10:30 History; 10:30-10:45 BREAK; 10:45-11:30 PE
Tue: 09:00-09:45 English (Mrs B); 09:45-10:30 French; 10:30-10:45 BREAK; 10:45-11:30 PE
Wed: 09:00-09:45 Art (Room 5); 09:45-10:30 Maths; 10:30-10:45 BREAK; 10:45-11:30 Music
""",
    ),
    "ampm": (
        """
+-----------+---------+---------+
| Time      | Monday  | Tuesday |
+-----------+---------+---------+
| 8:30 AM   | Arrival | Arrival |
+-----------+---------+---------+
| 9:00 AM   | Circle  | Circle  |
+-----------+---------+---------+
| 12:00 PM  | Lunch   | Lunch   |
+-----------+---------+---------+
| 1:00 PM   | Nap     | Nap     |
+-----------+---------+---------+
""",
        """
Mon: 08:30-09:00 Arrival; 09:00-12:00 Circle; 12:00-13:00 Lunch; 13:00-? Nap
Tue: 08:30-09:00 Arrival; 09:00-12:00 Circle; 12:00-13:00 Lunch; 13:00-? Nap
""",
    ),
    "parallel text": (
        """
+-----------+------------------+------------------+
|           | Monday           | Tuesday          |
+-----------+------------------+------------------+
| 9-10      | 7A Maths Room 3  | Free             |
+-----------+------------------+------------------+
| 10-11     | 8B Physics (Lab) | 9C Maths / B12   |
+-----------+------------------+------------------+
""",
        """
Mon: 09:00-10:00 7A Maths (Room 3); 10:00-11:00 8B Physics (Lab)
Tue: 09:00-10:00 Free; 10:00-11:00 9C Maths / B12
""",
    ),
    "stacked classes": (
        """
Class 1A
             Mon        Tue        Wed
9.00-9.50    Maths      English    Art
9.50-10.40   Science    History    Art

Class 1B
             Mon        Tue        Wed
9.00-9.50    Art        English    Maths
9.50-10.40   PE         Music      Art
""",
        """
# 1A
Mon: 09:00-09:50 Maths; 09:50-10:40 Science
Tue: 09:00-09:50 English; 09:50-10:40 History
Wed: 09:00-09:50 Art; 09:50-10:40 Art
# 1B
Mon: 09:00-09:50 Art; 09:50-10:40 PE
Tue: 09:00-09:50 English; 09:50-10:40 Music
Wed: 09:00-09:50 Maths; 09:50-10:40 Art
""",
    ),
    "title fields": (
        """
Class: 4C        Teacher: Ms Example        Term: Spring 1 2025
+-----------+---------+---------+
|           | Mon     | Tue     |
+-----------+---------+---------+
| 9-10      | Maths   | Art     |
+-----------+---------+---------+
| 10-11     | PE      | Music   |
+-----------+---------+---------+
""",
        """
Mon: 09:00-10:00 Maths; 10:00-11:00 PE
Tue: 09:00-10:00 Art; 10:00-11:00 Music
""",
    ),
    "side by side": (
        """
 Week A                          Week B
+------+------+------+------+   +------+------+------+------+
|      | Mon  | Tue  | Wed  |   |      | Mon  | Tue  | Wed  |
+------+------+------+------+   +------+------+------+------+
| 9-10 | Eng  | Mat  | Sci  |   | 9-10 | Art  | Mat  | Sci  |
+------+------+------+------+   +------+------+------+------+
|10-11 | Mat  | Eng  | Art  |   |10-11 | Mat  | PE   | Art  |
+------+------+------+------+   +------+------+------+------+
""",
        """
# week A
Mon: 09:00-10:00 Eng; 10:00-11:00 Mat
Tue: 09:00-10:00 Mat; 10:00-11:00 Eng
Wed: 09:00-10:00 Sci; 10:00-11:00 Art
# week B
Mon: 09:00-10:00 Art; 10:00-11:00 Mat
Tue: 09:00-10:00 Mat; 10:00-11:00 PE
Wed: 09:00-10:00 Sci; 10:00-11:00 Art
""",
    ),
    "headings cells": (
        """
+---------------------------+
| MONDAY                    |
+-----------+---------------+
| 9.00-9.45 | German        |
+-----------+---------------+
| 9.45-10.30| Maths         |
+-----------+---------------+
| TUESDAY                   |
+-----------+---------------+
| 9.00-9.45 | Sport         |
+-----------+---------------+
| 9.45-10.30| Art           |
+-----------+---------------+
""",
        """
Mon: 09:00-09:45 German; 09:45-10:30 Maths
Tue: 09:00-09:45 Sport; 09:45-10:30 Art
""",
    ),
    "start and end columns": (
        """
+-------+-------+---------+---------+---------+
| Start | End   | Mon     | Tue     | Wed     |
+-------+-------+---------+---------+---------+
| 8.00  | 8.45  | Maths   | English | Art     |
+-------+-------+---------+---------+---------+
| 8.50  | 9.35  | French  | Science | Maths   |
+-------+-------+---------+---------+---------+
| 9.55  | 10.40 | PE      | PE      | Music   |
+-------+-------+---------+---------+---------+
""",
        """
Mon: 08:00-08:45 Maths; 08:50-09:35 French; 09:55-10:40 PE
Tue: 08:00-08:45 English; 08:50-09:35 Science; 09:55-10:40 PE
Wed: 08:00-08:45 Art; 08:50-09:35 Maths; 09:55-10:40 Music
""",
    ),
    "numbers above times": (
        """
             Mon        Tue        Wed
1st lesson
8.00-8.45    Maths      English    Art

2nd lesson
8.50-9.35    Science    History    Art

3rd lesson
9.55-10.40   Break      Break      Drama
""",
        """
Mon: 08:00-08:45 Maths; 08:50-09:35 Science; 09:55-10:40 Break
Tue: 08:00-08:45 English; 08:50-09:35 History; 09:55-10:40 Break
Wed: 08:00-08:45 Art; 08:50-09:35 Art; 09:55-10:40 Drama
""",
    ),
    "groups side by side in a cell": (
        """
+-----------+---------------------------+---------------+
|           | Monday                    | Tuesday       |
+-----------+---------------------------+---------------+
| 9-10      | French         Latin      | Art           |
|           | Room 3         Room 5     | Room 1        |
+-----------+---------------------------+---------------+
| 10-11     | Maths                     | PE            |
+-----------+---------------------------+---------------+
""",
        """
Mon: 09:00-10:00 French (Room 3); 09:00-10:00 Latin (Room 5); 10:00-11:00 Maths
Tue: 09:00-10:00 Art (Room 1); 10:00-11:00 PE
""",
    ),
    "headings in two columns": (
        """
Monday                        Wednesday
8.15-9.00  German             8.15-9.00  Music
9.00-9.45  Maths              9.00-9.45  Drama
                              9.45-10.30 Latin
Tuesday
8.15-9.00  Sport              Thursday
9.00-9.45  Biology            8.15-9.00  Chess
""",
        """
Mon: 08:15-09:00 German; 09:00-09:45 Maths
Tue: 08:15-09:00 Sport; 09:00-09:45 Biology
Wed: 08:15-09:00 Music; 09:00-09:45 Drama; 09:45-10:30 Latin
Thu: 08:15-09:00 Chess
""",
    ),
    "stacked sets": (
        """
+-----------+--------------+--------------+
|           | Monday       | Tuesday      |
+-----------+--------------+--------------+
| 9-10      | Maths Set 1  | History      |
|           |              |              |
|           +--------------+              |
|           | Maths Set 2  |              |
|           |              |              |
+-----------+--------------+--------------+
| 10-11     | PE           | Art          |
|           |              |              |
+-----------+--------------+--------------+
""",
        """
Mon: 09:00-10:00 Maths Set 1; 09:00-10:00 Maths Set 2; 10:00-11:00 PE
Tue: 09:00-10:00 History; 10:00-11:00 Art
""",
    ),
    "unprinted split": (
        """
+-----------+--------------+--------------+
|           | Monday       | Tuesday      |
+-----------+--------------+--------------+
| 9-10      | Phonics      | History      |
|           |              |              |
|           +--------------+              |
|           | Handwriting  |              |
|           |              |              |
+-----------+--------------+--------------+
| 10-11     | PE           | Art          |
|           |              |              |
+-----------+--------------+--------------+
""",
        """
Mon: 09:00-09:30 Phonics; 09:30-10:00 Handwriting; 10:00-11:00 PE
Tue: 09:00-10:00 History; 10:00-11:00 Art
""",
    ),
    "one day across": (
        """
+--------+-----------+-----------+-----------+
|        | 9.00-9.45 | 9.45-10.30| 10.30-11  |
+--------+-----------+-----------+-----------+
| Monday | Maths     | English   | Break     |
+--------+-----------+-----------+-----------+
""",
        """
Mon: 09:00-09:45 Maths; 09:45-10:30 English; 10:30-11:00 Break
""",
    ),
    "a letter and no timetable": (
        """
Dear parents

On Monday we visit the museum
and are back at 3pm
""",
        """

""",
    ),
    "mentioned time": (
        """
+-----------+----------------+--------------+
|           | Monday         | Tuesday      |
+-----------+----------------+--------------+
| 1.15-2.15 | Swimming       | History      |
|           | coach at 1.05  |              |
+-----------+----------------+--------------+
| 2.15-3.15 | PE             | Art          |
+-----------+----------------+--------------+
""",
        """
Mon: 13:15-14:15 Swimming coach at 1.05; 14:15-15:15 PE
Tue: 13:15-14:15 History; 14:15-15:15 Art
""",
    ),
    "unreadable day": (
        """
+-----------+--------+--------+--------+--------+
|           | Monday | Tuesday| Wxqzy  |Thursday|
+-----------+--------+--------+--------+--------+
| 9-10      | Maths  | Art    | PE     | Music  |
+-----------+--------+--------+--------+--------+
| 10-11     | French | IT     | Drama  | Maths  |
+-----------+--------+--------+--------+--------+
""",
        """
Mon: 09:00-10:00 Maths; 10:00-11:00 French
Tue: 09:00-10:00 Art; 10:00-11:00 IT
Wed: 09:00-10:00 PE; 10:00-11:00 Drama
Thu: 09:00-10:00 Music; 10:00-11:00 Maths
""",
    ),
}


def written(block: TimeBlock) -> str:
    notes = f" ({block.notes})" if block.notes else ""
    return f"{block.start_time or '?'}-{block.end_time or '?'} {block.name}{notes}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_reads_as_a_person_reads_it(layout: str) -> None:
    picture, expected = LAYOUTS[layout]
    found = []
    timetables = assemble_page(drawn(picture), SchoolHours())
    for timetable in timetables:
        weeks = {block.weeks for block in timetable.timeblocks} - {None}
        if len(timetables) > 1 and (timetable.class_name or weeks):
            found.append(f"# {timetable.class_name or f'week {weeks.pop()}'}")
        days: dict[str, list[str]] = {}
        for block in timetable.timeblocks:
            days.setdefault((block.day or "---")[:3], []).append(written(block))
        found += [f"{day}: {'; '.join(blocks)}" for day, blocks in days.items()]
    assert "\n".join(found) == expected.strip()


def pages(*drawings: str) -> Document:
    numbered = tuple(replace(drawn(drawing), number=number) for number, drawing in enumerate(drawings))
    return Document(numbered, "pdf", "0" * 64)


def test_a_day_on_each_page_is_one_week() -> None:
    first = "Monday\n\n9.00-10.00   Maths\n10.00-11.00  French"
    second = "Tuesday\n\n9.00-10.00   Art\n10.00-11.00  Music"
    (week,) = assemble(pages(first, second), SchoolHours())
    assert [(block.day, block.name) for block in week.timeblocks] == [
        ("Monday", "Maths"),
        ("Monday", "French"),
        ("Tuesday", "Art"),
        ("Tuesday", "Music"),
    ]
    assert week.pages == (0, 1)


def test_a_class_on_each_page_is_a_timetable_each() -> None:
    page = "Class: {}\n\n             Mon        Tue\n9.00-10.00   Maths      Art\n10.00-11.00  French     Music"
    found = assemble(pages(page.format("1A"), page.format("1B")), SchoolHours())
    assert [timetable.class_name for timetable in found] == ["1A", "1B"]


def test_the_same_day_on_two_pages_stays_two() -> None:
    page = "Monday\n\n9.00-10.00   Maths\n10.00-11.00  French"
    assert len(assemble(pages(page, page), SchoolHours())) == 2
