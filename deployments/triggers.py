"""How a trigger of ours is written: its function, and the trigger itself. Migrations use it; nothing else does."""


def function(name: str, body: str, *, declare: str = "") -> str:
    """Return the SQL of a trigger's function.

    The path of names is fixed with pg_temp at its end: otherwise a session could put a temporary table in the place of
    one that the function reads.
    """
    variables = f"DECLARE\n{declare.strip()}\n" if declare else ""
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql\n"
        "    SET search_path = pg_catalog, public, pg_temp AS $$\n"
        f"{variables}BEGIN\n{body.strip(chr(10))}\nEND $$;\n"
    )


def trigger(name: str, table: str, event: str, function: str, *, when: str = "", arguments: str = "") -> str:
    """Return the SQL of a trigger that no session setting switches off. `arguments` are separated by blanks.

    ENABLE ALWAYS: `session_replication_role = replica` does not silence it (E28 of the reliability study).
    """
    level = "STATEMENT" if function == "locktender_refuse" else "ROW"
    quoted = ", ".join(f"'{argument}'" for argument in arguments.split())
    condition = f"WHEN ({when}) " if when else ""
    return (
        f"CREATE TRIGGER {name} BEFORE {event} ON deployments_{table} FOR EACH {level} {condition}"
        f"EXECUTE FUNCTION {function}({quoted});\n"
        f"ALTER TABLE deployments_{table} ENABLE ALWAYS TRIGGER {name};\n"
    )


STATE_CHANGES = "OLD.state IS DISTINCT FROM NEW.state"
