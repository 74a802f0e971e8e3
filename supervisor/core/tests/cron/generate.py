"""What two well-known libraries and the rules of our schedules say of the same lines of cron: the table that the tests hold ours to.

    python3 -m venv v && v/bin/pip install croniter==7.0.0 cronsim==2.8 tzdata==2026.6
    v/bin/python generate.py > table.txt
    v/bin/python generate.py --random 20000 --seed 7 > /tmp/more.txt      # and MUSTER_CRON_TABLE=/tmp/more.txt for the test

A line of the table is a case: time zone, moment, line of cron, the three moments that come next, and what each library says: `=`, or
what it says instead, and then, in brackets, which of our rules decides. The rules are told apart by a third way to find moments,
`by_the_rules` below, which walks the time minute by minute and knows nothing but what the clock on the wall shows.
"""

from __future__ import annotations

import argparse
import random
import sys
from datetime import date, datetime, timedelta, timezone
from typing import Dict, Iterator, List, Optional, Set, Tuple
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

COUNT = 3
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

# Zones, and the days before the nights of 2026 when their clocks change: by an hour at 02:00 and at 02:00 of the zone, by half an hour,
# by an hour at 02:45, by an hour at midnight; and zones without such nights, one of them with an offset of 45 minutes.
NIGHTS = {
    "Europe/Berlin": ["2026-03-28", "2026-10-24"],
    "America/New_York": ["2026-03-07", "2026-10-31"],
    "Australia/Lord_Howe": ["2026-04-03", "2026-10-02"],
    "Pacific/Chatham": ["2026-04-03", "2026-09-25"],
    "America/Santiago": ["2026-04-03", "2026-09-04"],
}
OTHERS = ["UTC", "Asia/Kathmandu", "Asia/Kolkata", "America/Phoenix"]
# Around the hours that are not there, or are there twice, in any of these zones.
AT_NIGHT = [
    "0 0 * * *", "30 0 * * *", "30 1 * * *", "45 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *", "0 3 * * *", "15 3 * * *", "59 23 * * *",
    "0,30 1-3 * * *", "*/20 2 * * *", "30 2 * * sun", "0 * * * *", "*/30 * * * *", "15 */2 * * *", "0 1-4/1 * * *",
]
# Leap days, ends of years and months, both fields of days, names, words.
CALENDAR = [
    ("2026-11-28", "0 0 29 2 *"), ("2096-03-01", "0 0 29 2 *"), ("2027-02-27", "59 23 28,29 2 *"), ("2026-01-01", "0 12 29 2 mon"),
    ("2026-12-31", "59 23 31 12 *"), ("2026-12-31", "* * * * *"), ("2026-12-30", "0 0 1 1 *"), ("2026-12-30", "0 0 * * 0"), ("2026-12-31", "0 0 * * 7"),
    ("2026-01-30", "0 0 31 * *"), ("2026-04-29", "0 0 30 * *"), ("2026-01-01", "0 0 31 4,6,7 *"), ("2026-02-01", "0 9 1-7 * mon"),
    ("2026-02-01", "0 9 13 * fri"), ("2026-02-01", "0 9 * * fri"), ("2026-02-01", "0 9 13 * *"), ("2026-02-01", "0 9 */2 * mon"), ("2026-02-01", "0 9 13 * */2"),
    ("2026-02-01", "0 9 1-31 * mon"), ("2026-02-01", "0 9 13 * 0-7"), ("2026-02-01", "0 9 * feb-dec/5 *"), ("2026-02-01", "0 9 * * mon-fri"),
    ("2026-02-01", "0 9 * * sat,SUN"), ("2026-02-01", "5-59/20 8-18/5 * * 1-5"), ("2026-02-28", "@monthly"), ("2026-02-28", "@weekly"), ("2026-02-28", "@daily"),
    ("2026-02-28", "@yearly"), ("2026-02-28", "@hourly"), ("2026-06-30", "7,7,7 1,1 1 */3 *"),
    ("2026-06-30", "0 0 2-2/4 * *"),
]

WORDS = {"@yearly": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@hourly": "0 * * * *"}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


def values(field: str, first: int, last: int, names: List[str]) -> Set[int]:
    def number(text: str) -> int:
        return names.index(text.lower()) + first if text.lower() in names else int(text)

    found: Set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, _, end = ("", "", "") if span == "*" else span.partition("-")
        low = first if span == "*" else number(begin)
        high = last if span == "*" else number(end) if end else low
        found.update(range(low, high + 1, int(step or 1)))
    return found


class Line:
    """A line of cron, as the rules read it."""

    def __init__(self, text: str) -> None:
        minute, hour, day, month, week = WORDS.get(text, text).split()
        self.minutes, self.hours = values(minute, 0, 59, []), values(hour, 0, 23, [])
        self.days, self.months = values(day, 1, 31, []), values(month, 1, 12, MONTHS)
        self.weekdays = {number % 7 for number in values(week, 0, 7, WEEKDAYS)}
        self.either = day[0] != "*" and week[0] != "*"
        self.both_restrict = day != "*" and week != "*"
        self.follows_clock = hour[0] == "*"

    def names(self, day: date) -> bool:
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((by_month or by_week) if self.either else (by_month and by_week))

    def reads(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.names(wall.date())


def on_the_wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def by_the_rules(text: str, zone: ZoneInfo, after: datetime) -> Iterator[Tuple[datetime, str]]:
    """The moments, and by which rule: `gap`: it is the first instant after what is not there; `twice`: the clock shows it twice."""
    line = Line(text)
    now = after - timedelta(hours=30)
    latest = on_the_wall(now - MINUTE, zone)
    while True:
        wall = on_the_wall(now, zone)
        if not any(line.names(wall.date() + DAY * ahead) for ahead in range(-1, 3)):
            now += DAY
            latest = max(latest, on_the_wall(now - MINUTE, zone))
            continue
        rule = ""
        if line.follows_clock:
            due = line.reads(wall)
        else:
            due, shown = False, latest
            while shown < wall:
                shown += MINUTE
                if line.reads(shown):
                    due, rule = True, "" if shown == wall else "gap"
        latest = max(latest, wall)
        if due and now > after:
            twice = {on_the_wall(now + side * length, zone) for side in (1, -1) for length in (timedelta(minutes=30), timedelta(hours=1))}
            yield now, rule or ("twice" if wall in twice else "")
        now += MINUTE


def by_croniter(text: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    found = croniter(text, after.astimezone(zone))
    while True:
        yield found.get_next(datetime).astimezone(timezone.utc)


def by_cronsim(text: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    # It has no words, and tells of moments after the one it is given.
    for moment in CronSim(WORDS.get(text, text), after.astimezone(zone)):
        yield moment.astimezone(timezone.utc)


LIBRARIES = {"croniter": by_croniter, "cronsim": by_cronsim}


def first(moments: Iterator[datetime]) -> List[datetime]:
    return [next(moments) for _ in range(COUNT)]


def shown(moments: List[datetime], zone: ZoneInfo) -> str:
    return ", ".join(moment.astimezone(zone).isoformat(timespec="minutes") for moment in moments)


# Which of our rules decides where a library says something else.
RULES = {
    "range": "a range of one value with a step, as 2-2/4, is that value",
    "days": "of the two fields of days one that begins with * restricts nothing by itself: the other must match, too",
    "running": "a line whose hour is * or a step of it follows the running clock: each hour that passes, also where it passes by half",
    "gap": "what is not there that night comes at the first instant after the gap, once",
    "twice": "what comes twice comes once, at the first",
    "half": "a night on which half an hour is left out is a night like others: nothing is left out but what the wall never shows",
}


def rule_of(text: str, line: Line, rules: List[str]) -> str:
    named = [rule for rule in rules if rule]
    if any(begin and begin == end for begin, end in (part.split("/")[0].split("-") for part in text.replace(",", " ").split() if "-" in part)):
        return "range"
    if line.both_restrict and not line.either:
        return "days"
    return "running" if line.follows_clock else named[0] if named else "half"


def case(name: str, after: datetime, text: str, agreed: Dict[str, int]) -> Optional[str]:
    zone = ZoneInfo(name)
    walk = by_the_rules(text, zone, after)
    ours = [next(walk) for _ in range(COUNT)]
    moments, rules = [moment for moment, _ in ours], [rule for _, rule in ours]
    said = []
    for library, ask in LIBRARIES.items():
        try:
            theirs: Optional[List[datetime]] = first(ask(text, zone, after))
        except Exception as error:  # What a library refuses is a finding, too.
            said.append(f"{library} {type(error).__name__}")
            continue
        is_same = theirs == moments
        agreed[library] = agreed.get(library, 0) + is_same
        said.append(f"{library} =" if is_same else f"{library} {shown(theirs, zone)}")
    if not all(word.endswith(" =") for word in said):
        said.append(f"[{rule_of(text, Line(text), rules)}]")
    return " | ".join([name, after.strftime("%Y-%m-%dT%H:%MZ"), text, shown(moments, zone), *said])


def random_field(chance: random.Random, low: int, high: int) -> str:
    begin, end = sorted(chance.sample(range(low, high + 1), 2))
    several = ",".join(str(chance.randint(low, high)) for _ in range(chance.randint(2, 4)))
    return chance.choice(["*", "*", "*", f"*/{chance.randint(1, 20)}", str(begin), str(begin), f"{begin}-{end}", f"{begin}-{end}/{chance.randint(1, 7)}", several])


def random_cases(count: int, seed: int) -> Iterator[Tuple[str, datetime, str]]:
    chance = random.Random(seed)
    nights = [(name, night) for name, all_of_zone in NIGHTS.items() for night in all_of_zone]
    while count > 0:
        fields = [random_field(chance, low, high) for low, high in ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))]
        # Half of them around a night, the others anywhere in twenty years.
        if chance.random() < 0.5:
            name, night = chance.choice(nights)
            fields[2:] = ["*", "*", fields[4] if chance.random() < 0.2 else "*"]
            after = datetime.fromisoformat(night).replace(tzinfo=timezone.utc) + chance.randint(0, 3000) * MINUTE
        else:
            name = chance.choice([*NIGHTS, *OTHERS])
            after = datetime(2020, 1, 1, tzinfo=timezone.utc) + chance.randint(0, 20 * 365 * 1440) * MINUTE
        count -= 1
        yield name, after, " ".join(fields)


def cases(count: int, seed: int) -> Iterator[Tuple[str, datetime, str]]:
    for name, nights in NIGHTS.items():
        for night in nights:
            for text in AT_NIGHT:
                zone = ZoneInfo(name)
                # Noon of the day before, as it is on the wall.
                yield name, datetime.fromisoformat(f"{night}T12:00").replace(tzinfo=zone).astimezone(timezone.utc), text
    for number, (day, text) in enumerate(CALENDAR):
        yield OTHERS[number % len(OTHERS)], datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=timezone.utc), text
    yield "Australia/Lord_Howe", datetime(2026, 10, 3, 14, 29, tzinfo=timezone.utc), "* 5-13 * * *"
    yield from random_cases(count, seed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=120, help="so many cases by chance besides")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    agreed: Dict[str, int] = {}
    lines = [case(*one, agreed) for one in cases(given.random, given.seed)]
    print(f"# Made by generate.py --random {given.random} --seed {given.seed}: see there.")
    for rule, meaning in RULES.items():
        print(f"# [{rule}]: {meaning}")
    for line in lines:
        print(line)
    total = len(lines)
    said = ", ".join(f"{library} agrees in {count}" for library, count in agreed.items())
    print(f"{total} cases; {said}", file=sys.stderr)


if __name__ == "__main__":
    main()
