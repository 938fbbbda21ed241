"""SQL of several statements, for migrations."""


def statements(sql: str) -> list[str]:
    """Split a script at semicolons that end a line outside of `$$` bodies (asyncpg takes one statement at a time)."""
    found, current, in_body = [], [], False
    for line in sql.strip().splitlines():
        current.append(line)
        in_body ^= line.count("$$") % 2 == 1
        if line.rstrip().endswith(";") and not in_body:
            found.append("\n".join(current))
            current = []
    return found
