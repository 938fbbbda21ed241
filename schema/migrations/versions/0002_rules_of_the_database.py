"""Rules that the database itself keeps: legal transitions, append-only tables, an unbroken ledger, roles.

The code keeps them too; these hold when the code is wrong.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from schema.states import RUN_TRANSITIONS

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "billing_ledger": "deny_change",
    "audit_logs": "deny_change",
    "usage": "deny_change",
    "run_status_changes": "deny_change_within_run",
}

RUN_RULES = """
create function check_run_change() returns trigger language plpgsql as $$
begin
  if new.status <> old.status and not exists (
    select from run_transitions where from_status = old.status and to_status = new.status
  ) then
    raise exception 'run % may not go from % to %', old.id, old.status, new.status
      using errcode = 'check_violation', constraint = 'run_transitions';
  end if;
  if (new.attempt, new.seq) < (old.attempt, old.seq) then
    raise exception 'run % may not go back from (%, %) to (%, %)', old.id, old.attempt, old.seq, new.attempt, new.seq
      using errcode = 'check_violation', constraint = 'run_projection_order';
  end if;
  if new.attempt > old.attempt and old.status <> 'failed' then
    raise exception 'run %: an attempt opens only after the last one failed', old.id
      using errcode = 'check_violation', constraint = 'run_attempts';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger check_run_change before update on runs for each row execute function check_run_change();

create function record_run_status() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into run_status_changes (org_id, run_id, attempt, from_status, to_status)
      values (new.org_id, new.id, new.attempt, null, new.status);
  elsif new.status <> old.status then
    insert into run_status_changes (org_id, run_id, attempt, from_status, to_status)
      values (new.org_id, new.id, new.attempt, old.status, new.status);
  end if;
  return null;
end $$;
create trigger record_run_status after insert or update of status on runs
  for each row execute function record_run_status();
"""

LEDGER_RULES = """
create function check_ledger_entry() returns trigger language plpgsql as $$
declare
  last record;
  charged bigint;
  refunded bigint;
begin
  select version, posted_after_ucr, held_after_ucr into last from billing_ledger
    where org_id = new.org_id order by version desc limit 1;
  if new.version <> coalesce(last.version, 0) + 1
    or new.posted_after_ucr <> coalesce(last.posted_after_ucr, 0) + new.posted_delta_ucr
    or new.held_after_ucr <> coalesce(last.held_after_ucr, 0) + new.held_delta_ucr
  then
    raise exception 'ledger entry % of % does not continue the last one', new.version, new.org_id
      using errcode = 'check_violation', constraint = 'ledger_chain';
  end if;
  if new.type = 'refund' then
    select -posted_delta_ucr into charged from billing_ledger
      where org_id = new.org_id and id = new.reverses_id and type = 'charge';
    select coalesce(sum(posted_delta_ucr), 0) into refunded from billing_ledger
      where org_id = new.org_id and reverses_id = new.reverses_id;
    if charged is null or refunded + new.posted_delta_ucr > charged then
      raise exception 'refunds of % exceed its charge', new.reverses_id
        using errcode = 'check_violation', constraint = 'refund_within_charge';
    end if;
  end if;
  return new;
end $$;
create trigger check_ledger_entry before insert on billing_ledger
  for each row execute function check_ledger_entry();

create function check_hold_change() returns trigger language plpgsql as $$
begin
  if old.state <> 'open' then
    raise exception 'hold % is settled', old.id using errcode = 'check_violation', constraint = 'hold_settled';
  end if;
  return new;
end $$;
create trigger check_hold_change before update on credit_holds for each row execute function check_hold_change();
"""

DENY = """
create function deny_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;

create function deny_change_within_run() returns trigger language plpgsql as $$
begin
  -- Retention deletes a run with all that hangs on it; as long as the run stands, its history stands.
  if tg_op = 'DELETE' and not exists (select from runs where org_id = old.org_id and id = old.run_id) then
    return old;
  end if;
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
"""

ROLES = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'swissbrain_app') then
    create role swissbrain_app nologin;
  end if;
end $$;
grant usage on schema public to swissbrain_app;
grant select, insert, update, delete on all tables in schema public to swissbrain_app;
grant usage, select on all sequences in schema public to swissbrain_app;
revoke insert, update, delete on run_transitions, alembic_version from swissbrain_app;
revoke delete on credit_balances, credit_holds, usage_windows, audit_heads from swissbrain_app;
alter default privileges in schema public grant select, insert, update, delete on tables to swissbrain_app;
alter default privileges in schema public grant usage, select on sequences to swissbrain_app;
"""


def _script(sql: str) -> None:
    for statement in _statements(sql):
        op.execute(statement)


def _statements(sql: str) -> list[str]:
    """Split a script at semicolons that end a line outside of `$$` bodies (asyncpg takes one statement at a time)."""
    found, current, in_body = [], [], False
    for line in sql.strip().splitlines():
        current.append(line)
        in_body ^= line.count("$$") % 2 == 1
        if line.rstrip().endswith(";") and not in_body:
            found.append("\n".join(current))
            current = []
    return found


def upgrade() -> None:
    values = ", ".join(f"('{a.value}', '{b.value}')" for a, b in sorted(RUN_TRANSITIONS))
    op.execute(f"insert into run_transitions (from_status, to_status) values {values}")
    for script in (RUN_RULES, LEDGER_RULES, DENY, ROLES):
        _script(script)
    for table, function in APPEND_ONLY.items():
        op.execute(
            f"create trigger deny_change before update or delete on {table} for each row execute function {function}()"
        )
        op.execute(
            f"create trigger deny_truncate before truncate on {table} for each statement execute function deny_change()"
        )
        op.execute(f"revoke update, delete, truncate on {table} from swissbrain_app")


def downgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(f"drop trigger deny_change on {table}")
        op.execute(f"drop trigger deny_truncate on {table}")
    for trigger, table in (
        ("check_run_change", "runs"),
        ("record_run_status", "runs"),
        ("check_ledger_entry", "billing_ledger"),
        ("check_hold_change", "credit_holds"),
    ):
        op.execute(f"drop trigger {trigger} on {table}")
    for function in (
        "check_run_change",
        "record_run_status",
        "check_ledger_entry",
        "check_hold_change",
        "deny_change",
        "deny_change_within_run",
    ):
        op.execute(f"drop function {function}()")
    op.execute("alter default privileges in schema public revoke all on tables from swissbrain_app")
    op.execute("alter default privileges in schema public revoke all on sequences from swissbrain_app")
    op.execute("revoke all on all tables in schema public from swissbrain_app")
    op.execute("revoke all on all sequences in schema public from swissbrain_app")
    op.execute("revoke usage on schema public from swissbrain_app")
    op.execute("delete from run_transitions")
