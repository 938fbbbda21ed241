"""A hash chain over the audit log and over the ledger, monthly partitions, signed checkpoints.

The hashing is done by the database, in the statement that inserts: one round trip, and no way for the application's
role to write an entry that does not continue the chain. `schema/chain.py` computes the same from what was read.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.chain import GENESIS
from schema.migrations.scripts import statements
from schema.migrations.tenancy import APP_ROLE, protect, protection

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

HASHING = """
create function chain_hash(label text, variadic fields text[]) returns bytea
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  -- Netstrings: no text can pass for the end of one field and the beginning of the next.
  select sha256(convert_to(label || E'\\n' || string_agg(
    case when field is null then '-,' else octet_length(field) || ':' || field || ',' end, '' order by position
  ), 'UTF8')) from unnest(fields) with ordinality as given(field, position)
$$;

create function chain_micros(at timestamptz) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select (extract(epoch from at) * 1000000)::bigint::text
$$;

create function ledger_hash(e billing_ledger, previous bytea) returns bytea
language sql stable set search_path = public, pg_temp as $$
  select chain_hash('swissbrain.ledger.' || e.form, encode(previous, 'hex'), e.org_id, e.version::text, e.id, e.type,
    e.posted_delta_ucr::text, e.held_delta_ucr::text, e.posted_after_ucr::text, e.held_after_ucr::text, e.run_id,
    e.attempt::text, e.hold_id, e.reverses_id, e.invoice_id, e.idempotency_key, e.fingerprint, e.description,
    e.details::text, e.created_by, chain_micros(e.created_at))
$$;
"""

AUDIT_HASH = """
create function audit_hash(e audit_logs, previous bytea) returns bytea
language sql stable set search_path = public, pg_temp as $$
  select chain_hash('swissbrain.audit.' || e.form, encode(previous, 'hex'), e.org_id, e.seq::text, e.id,
    e.actor_type, e.actor_id, e.action, e.resource_type, e.resource_id, e.run_id, e.result, e.details::text,
    e.request_id, host(e.ip_address), e.user_agent, chain_micros(e.created_at))
$$;
"""

LEDGER_TRIGGER = """
create or replace function check_ledger_entry() returns trigger language plpgsql as $$
declare
  last record;
  charged bigint;
  refunded bigint;
begin
  select version, posted_after_ucr, held_after_ucr, hash into last from billing_ledger
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
{hashing}  return new;
end $$;
"""
HASHED = """  new.form := 1;
  new.hash := ledger_hash(new, coalesce(last.hash, '\\x{genesis}'));
""".replace("{genesis}", GENESIS.hex())

APPEND = """
create function within_append_audit(p_org_id text, p_entries jsonb) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  head audit_heads;
  given jsonb;
  entry audit_logs;
begin
  -- The function runs as the tables' owner, whom row-level security does not bind.
  if not exists (select where p_org_id = (select nullif(current_setting('app.org_id', true), ''))) then
    raise exception 'an audit entry of % in a transaction of %', p_org_id, current_setting('app.org_id', true)
      using errcode = 'insufficient_privilege';
  end if;
  select * into head from audit_heads where org_id = p_org_id for update;
  if not found then
    insert into audit_heads (org_id) values (p_org_id) on conflict do nothing;
    select * into head from audit_heads where org_id = p_org_id for update;
  end if;
  for given in select value from jsonb_array_elements(p_entries) loop
    -- Time never goes back along the chain: what lies before a month's end by number does so by time.
    head.entry_at := greatest(clock_timestamp(), head.entry_at);
    head.seq := head.seq + 1;
    entry.org_id := p_org_id;
    entry.seq := head.seq;
    entry.id := given->>'id';
    entry.actor_type := given->>'actor_type';
    entry.actor_id := given->>'actor_id';
    entry.action := given->>'action';
    entry.resource_type := given->>'resource_type';
    entry.resource_id := given->>'resource_id';
    entry.run_id := given->>'run_id';
    entry.result := given->>'result';
    entry.details := (given->>'details')::json;
    entry.request_id := given->>'request_id';
    entry.ip_address := (given->>'ip_address')::inet;
    entry.user_agent := given->>'user_agent';
    entry.created_at := head.entry_at;
    entry.form := 1;
    entry.hash := audit_hash(entry, head.hash);
    if to_regclass(audit_partition(head.entry_at)) is null then
      perform make_audit_partition(head.entry_at);
    end if;
    insert into audit_logs values (entry.*);
    head.hash := entry.hash;
  end loop;
  update audit_heads set seq = head.seq, hash = head.hash, entry_at = head.entry_at where org_id = p_org_id;
  return head.seq;
end $$;
"""

PARTITIONS = """
create function audit_partition(at timestamptz) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select 'public.audit_logs_' || to_char(at at time zone 'UTC', 'YYYYMM')
$$;

create function make_audit_partition(at timestamptz) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  name text := audit_partition(at);
  first timestamptz := date_trunc('month', at, 'UTC');
begin
  perform pg_advisory_xact_lock(hashtext('audit_partition'));
  if to_regclass(name) is not null then
    return;
  end if;
  -- Attached, not made as a partition: that would lock out every reader and writer of the log.
  execute format('create table %s (like audit_logs including defaults including constraints)', name);
  execute format('alter table audit_logs attach partition %s for values from (%L) to (%L)',
    name, first, first + interval '1 month');
  execute format('create trigger deny_truncate before truncate on %s for each statement execute function deny_change()',
    name);
{protection}
end $$;

create function across_ensure_audit_partitions(months integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made integer := 0;
  month timestamptz;
begin
  for ahead in 0 .. least(greatest(months, 0), 36) loop
    month := date_trunc('month', clock_timestamp() at time zone 'UTC') at time zone 'UTC' + ahead * interval '1 month';
    if to_regclass(audit_partition(month)) is null then
      perform make_audit_partition(month);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

create function across_ended_audit_months() returns setof timestamptz
language sql stable security definer set search_path = public, pg_temp as $$
  with partitions as materialized (
    select c.relname from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'audit_logs'::regclass
  ), months as (
    select to_date(right(relname, 6), 'YYYYMM')::timestamp at time zone 'UTC' as month from partitions
  )
  select month from months where month + interval '1 month' <= clock_timestamp() - interval '7 years' order by month
$$;

create function across_drop_audit_month(month timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  name text := audit_partition(month);
  missing text;
begin
  if not exists (select from across_ended_audit_months() ended where ended = month) then
    raise exception 'audit entries of % must be kept: seven years are not over', month
      using errcode = 'insufficient_privilege';
  end if;
  select held.org_id into missing from (
    select org_id, count(*) n, max(seq) last from audit_logs
    where created_at >= month and created_at < month + interval '1 month' group by org_id
  ) held where not exists (
    select from audit_archives a where a.org_id = held.org_id and a.month = across_drop_audit_month.month
      and a.entries = held.n and a.to_seq = held.last) limit 1;
  if missing is not null then
    raise exception 'audit entries of % in % are not archived', missing, month using errcode = 'insufficient_privilege';
  end if;
  execute format('alter table audit_logs detach partition %s', name);
  execute format('drop table %s', name);
end $$;

create function across_audited_organisations() returns setof text
language sql stable security definer set search_path = public, pg_temp as $$
  select org_id from audit_heads union select org_id from credit_balances order by 1
$$;
"""

NOT_FOR_EVERYBODY = (
    "within_append_audit(text, jsonb)",
    "across_ensure_audit_partitions(integer)",
    "across_ended_audit_months()",
    "across_drop_audit_month(timestamptz)",
    "across_audited_organisations()",
)

BACKFILL = """
do $$
declare
  organisation text;
  previous bytea;
  old record;
  entry audit_logs;
  posted billing_ledger;
begin
  for old in select distinct date_trunc('month', created_at, 'UTC') as month from audit_logs_0004 loop
    perform make_audit_partition(old.month);
  end loop;
  for organisation in select distinct org_id from audit_logs_0004 loop
    previous := '\\x{genesis}';
    for old in select * from audit_logs_0004 where org_id = organisation order by seq loop
      entry := jsonb_populate_record(null::audit_logs, to_jsonb(old) - 'details');
      entry.details := old.details::text::json;
      entry.created_at := old.created_at;
      entry.run_id := case when old.resource_type = 'run' then old.resource_id end;
      entry.form := 0;
      entry.hash := audit_hash(entry, previous);
      insert into audit_logs values (entry.*);
      previous := entry.hash;
    end loop;
    update audit_heads set hash = previous,
      entry_at = (select max(created_at) from audit_logs_0004 where org_id = organisation) where org_id = organisation;
  end loop;
  for organisation in select distinct org_id from billing_ledger loop
    previous := '\\x{genesis}';
    for posted in select * from billing_ledger where org_id = organisation order by version loop
      previous := ledger_hash(posted, previous);
      update billing_ledger set hash = previous where org_id = organisation and version = posted.version;
    end loop;
  end loop;
end $$;
""".replace("{genesis}", GENESIS.hex())


_BY_NAME = [
    *protection("%s", append_only=True),
    f"revoke insert on %s from {APP_ROLE}",
]
PARTITIONS = PARTITIONS.replace(
    "{protection}",
    "\n".join("  execute format('" + statement.replace("'", "''") + "', name);" for statement in _BY_NAME),
)


def _script(sql: str) -> None:
    for statement in statements(sql):
        op.execute(statement)


def _time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _deny(table: str, *, update: bool = True) -> None:
    events = "update or delete" if update else "delete"
    op.execute(f"create trigger deny_change before {events} on {table} for each row execute function deny_change()")
    op.execute(
        f"create trigger deny_truncate before truncate on {table} for each statement execute function deny_change()"
    )
    op.execute(f"revoke {'update, ' if update else ''}delete, truncate on {table} from swissbrain_app")


def _log(name: str, details: sa.types.TypeEngine[object], *, chained: bool) -> None:
    key = ["org_id", "seq", "created_at"] if chained else ["id"]
    more: list[sa.schema.SchemaItem] = [sa.UniqueConstraint("org_id", "seq", name=op.f(f"uq_{name}_org_id_seq"))]
    if chained:
        more = [
            sa.Column("run_id", sa.Text(), nullable=True),
            sa.Column("form", sa.SmallInteger(), nullable=False),
            sa.Column("hash", sa.LargeBinary(), nullable=False),
        ]
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("details", details, nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("ip_address", postgresql.INET(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        _time("created_at", now=True),
        *more,
        sa.CheckConstraint("result in ('success','failure','denied')", name=op.f(f"ck_{name}_result")),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        postgresql_partition_by="RANGE (created_at)" if chained else None,
    )
    op.create_index(f"ix_{name}_org_id_created_at", name, ["org_id", "created_at"])
    op.create_index(f"ix_{name}_resource", name, ["org_id", "resource_type", "resource_id"])
    if chained:
        op.create_index(
            f"ix_{name}_org_id_run_id", name, ["org_id", "run_id"], postgresql_where=sa.text("run_id is not null")
        )


def _set_old_log_aside() -> None:
    op.execute("alter table audit_logs rename to audit_logs_0004")
    for kind in ("pk_audit_logs", "uq_audit_logs_org_id_seq", "ck_audit_logs_result"):
        op.execute(f"alter table audit_logs_0004 rename constraint {kind} to {kind}_0004")
    for kind in ("ix_audit_logs_org_id_created_at", "ix_audit_logs_resource"):
        op.execute(f"alter index {kind} rename to {kind}_0004")


def upgrade() -> None:
    _set_old_log_aside()
    _log("audit_logs", sa.JSON(), chained=True)
    _deny("audit_logs")
    protect("audit_logs", append_only=True)
    op.execute("revoke insert on audit_logs from swissbrain_app")

    # The platform's own log has no organisation, and a log outlives its organisation.
    op.drop_constraint("fk_audit_heads_org_id_organisations", "audit_heads", type_="foreignkey")
    op.alter_column("audit_heads", "seq", server_default="0")
    op.add_column(
        "audit_heads",
        sa.Column("hash", sa.LargeBinary(), server_default=sa.text(f"'\\x{GENESIS.hex()}'::bytea"), nullable=False),
    )
    op.add_column("audit_heads", _time("entry_at", nullable=True))
    op.execute("revoke all on audit_heads from swissbrain_app")
    op.execute("grant select on audit_heads to swissbrain_app")

    op.execute("alter table billing_ledger disable trigger deny_change")
    op.add_column("billing_ledger", sa.Column("form", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("billing_ledger", sa.Column("hash", sa.LargeBinary(), nullable=True))
    for script in (HASHING, AUDIT_HASH, PARTITIONS, APPEND, BACKFILL):
        _script(script)
    op.alter_column("billing_ledger", "hash", nullable=False)
    op.execute("alter table billing_ledger enable trigger deny_change")
    _script(LEDGER_TRIGGER.replace("{hashing}", HASHED))
    op.drop_table("audit_logs_0004")

    op.create_table(
        "audit_checkpoints",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("ledger_version", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        _time("created_at", now=True),
        _time("stored_at", nullable=True),
        sa.PrimaryKeyConstraint("org_id", "number", name=op.f("pk_audit_checkpoints")),
    )
    _deny("audit_checkpoints", update=False)
    op.create_table(
        "audit_archives",
        sa.Column("org_id", sa.Text(), nullable=False),
        _time("month"),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("to_seq", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        _time("created_at", now=True),
        sa.PrimaryKeyConstraint("org_id", "month", name=op.f("pk_audit_archives")),
    )
    _deny("audit_archives")
    op.create_table(
        "audit_verifications",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("audit_entries", sa.BigInteger(), nullable=False),
        sa.Column("ledger_entries", sa.BigInteger(), nullable=False),
        sa.Column("checkpoints", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _time("checked_at", now=True),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_audit_verifications")),
    )
    protect("audit_checkpoints", deletable=False)
    protect("audit_archives", append_only=True)
    protect("audit_verifications")
    for function in (*NOT_FOR_EVERYBODY, "make_audit_partition(timestamptz)"):
        op.execute(f"revoke execute on function {function} from public")
    for function in NOT_FOR_EVERYBODY:
        op.execute(f"grant execute on function {function} to swissbrain_app")
    op.execute("select across_ensure_audit_partitions(12)")
    # Keys that may do everything within their organisation may read its log.
    op.execute(
        "update api_keys set scopes = scopes || array['audit:read'] where scopes @> array['runs:read','runs:write',"
        "'documents:read','documents:write','billing:read','billing:admin','keys:admin']"
    )


def downgrade() -> None:
    for table in ("audit_verifications", "audit_archives", "audit_checkpoints"):
        op.drop_table(table)
    op.execute("update api_keys set scopes = array_remove(scopes, 'audit:read')")
    for function in (
        *NOT_FOR_EVERYBODY,
        "make_audit_partition(timestamptz)",
        "audit_partition(timestamptz)",
        "audit_hash(audit_logs, bytea)",
    ):
        op.execute(f"drop function {function}")
    op.execute("alter table audit_logs rename to audit_logs_0007")
    for constraint in ("pk_audit_logs", "ck_audit_logs_result"):
        op.execute(f"alter table audit_logs_0007 rename constraint {constraint} to {constraint}_0007")
    for index in ("ix_audit_logs_org_id_created_at", "ix_audit_logs_resource", "ix_audit_logs_org_id_run_id"):
        op.execute(f"alter index {index} rename to {index}_0007")
    _log("audit_logs", postgresql.JSONB(astext_type=sa.Text()), chained=False)
    op.execute(
        "insert into audit_logs select id, org_id, seq, actor_type, actor_id, action, resource_type, resource_id,"
        " result, details, request_id, ip_address, user_agent, created_at from audit_logs_0007"
    )
    op.drop_table("audit_logs_0007")
    _deny("audit_logs")
    protect("audit_logs", append_only=True)
    op.execute("delete from audit_heads where not exists (select from organisations where id = org_id)")
    op.create_foreign_key("fk_audit_heads_org_id_organisations", "audit_heads", "organisations", ["org_id"], ["id"])
    op.alter_column("audit_heads", "seq", server_default=None)
    op.drop_column("audit_heads", "hash")
    op.drop_column("audit_heads", "entry_at")
    op.execute("grant insert, update on audit_heads to swissbrain_app")
    _script(LEDGER_TRIGGER.replace("{hashing}", ""))
    op.execute("drop function ledger_hash(billing_ledger, bytea)")
    op.execute("drop function chain_micros(timestamptz)")
    op.execute("drop function chain_hash(text, text[])")
    op.drop_column("billing_ledger", "hash")
    op.drop_column("billing_ledger", "form")
