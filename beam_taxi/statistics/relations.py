from beam_taxi.run.profile import Relation


def relations(rows: object, label: str | None = None) -> tuple[Relation, ...]:
    return ()
