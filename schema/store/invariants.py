"""What must hold at any time, as queries that count violations: every one returns 0.

Numbering follows `reliability.md`, section 10.1. Those that need another store beside PostgreSQL (I8, I9, I10) are
checked by `tests/support/invariants.py` on top of the rows these return. Run by tests, by `swissbrain check` and after
every injected fault.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class Invariant:
    """One rule: a query that returns the number of rows that break it."""

    name: str
    says: str
    sql: str


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "I1_balance_is_sum_of_ledger",
        "balance = sum of posted deltas, per organisation",
        """select count(*) from credit_balances b
           left join (select org_id, sum(posted_delta_ucr) s from billing_ledger group by org_id) l using (org_id)
           where b.balance_ucr <> coalesce(l.s, 0)""",
    ),
    Invariant(
        "I2_reserved_is_sum_of_open_holds",
        "reserved = sum of open holds = sum of held deltas, per organisation",
        """select count(*) from credit_balances b
           left join (select org_id, sum(amount_ucr) s from credit_holds where state = 'open' group by org_id) h
             using (org_id)
           left join (select org_id, sum(held_delta_ucr) s from billing_ledger group by org_id) l using (org_id)
           where b.reserved_ucr <> coalesce(h.s, 0) or b.reserved_ucr <> coalesce(l.s, 0)""",
    ),
    Invariant(
        "I3_ledger_chain",
        "each entry's after = the previous entry's after + its delta",
        """select count(*) from (
             select posted_after_ucr, posted_delta_ucr, held_after_ucr, held_delta_ucr,
               lag(posted_after_ucr, 1, 0::bigint) over w p, lag(held_after_ucr, 1, 0::bigint) over w h
             from billing_ledger window w as (partition by org_id order by version)) e
           where posted_after_ucr <> p + posted_delta_ucr or held_after_ucr <> h + held_delta_ucr""",
    ),
    Invariant(
        "I4_ledger_gap_free",
        "versions are 1..n without gaps, and the balance names the last one",
        """select count(*) from credit_balances b
           left join (select org_id, count(*) n, max(version) m from billing_ledger group by org_id) l using (org_id)
           where b.version <> coalesce(l.m, 0) or coalesce(l.n, 0) <> coalesce(l.m, 0)""",
    ),
    Invariant(
        "I5_one_capture_per_hold",
        "one charge and one release at most per attempt, equal to what the hold says",
        """select count(*) from credit_holds h
           left join (
             select org_id, run_id, attempt,
               count(*) filter (where type = 'charge') charges,
               count(*) filter (where type in ('release', 'expire')) releases,
               coalesce(-sum(posted_delta_ucr) filter (where type = 'charge'), 0) charged,
               coalesce(-sum(held_delta_ucr) filter (where type in ('release', 'expire')), 0) released,
               coalesce(sum(held_delta_ucr) filter (where type = 'hold'), 0) held
             from billing_ledger where run_id is not null and type <> 'refund' group by org_id, run_id, attempt
           ) l using (org_id, run_id, attempt)
           where coalesce(l.charges, 0) > 1 or coalesce(l.releases, 0) > 1 or l.held is distinct from h.amount_ucr
             or l.charged is distinct from h.captured_ucr or l.released is distinct from h.released_ucr""",
    ),
    Invariant(
        "I5_refunds_within_charge",
        "the refunds of a charge never exceed it",
        """select count(*) from (
             select c.id from billing_ledger c join billing_ledger r on r.org_id = c.org_id and r.reverses_id = c.id
             where c.type = 'charge' group by c.org_id, c.id, c.posted_delta_ucr
             having sum(r.posted_delta_ucr) > -c.posted_delta_ucr) x""",
    ),
    Invariant(
        "I5_ledger_movement_has_hold",
        "no hold, charge or release in the ledger without its hold row",
        """select count(*) from billing_ledger l where type in ('hold', 'charge', 'release', 'expire')
           and not exists (select from credit_holds h
             where h.org_id = l.org_id and h.run_id = l.run_id and h.attempt = l.attempt)""",
    ),
    Invariant(
        "I6_no_open_hold_of_ended_attempt",
        "a hold is open only while its attempt is live",
        """select count(*) from credit_holds h left join runs r on r.org_id = h.org_id and r.id = h.run_id
           left join files f on f.org_id = h.org_id and f.id = h.run_id and f.attempt = h.attempt
             and f.status = 'processing' and f.deleted_at is null
           where h.state = 'open' and f.id is null and (r.id is null or r.attempt <> h.attempt
             or r.status not in ('pending', 'running', 'paused', 'resuming', 'retrying'))""",
    ),
    Invariant(
        "I6_live_attempt_has_open_hold",
        "a live attempt has its open hold",
        """select count(*) from runs r where r.status in ('pending', 'running', 'paused', 'resuming', 'retrying')
           and not exists (select from credit_holds h where h.org_id = r.org_id and h.run_id = r.id
             and h.attempt = r.attempt and h.state = 'open')""",
    ),
    Invariant(
        "I7_one_terminal_status_per_attempt",
        "each attempt reaches at most one terminal status",
        """select count(*) from (
             select run_id, attempt from run_status_changes where to_status in ('completed', 'failed', 'cancelled')
             group by run_id, attempt having count(*) > 1) x""",
    ),
    Invariant(
        "I7_status_changes_are_legal",
        "every recorded change stands in the transition table, and continues the one before",
        """select count(*) from (
             select from_status, to_status, lag(to_status) over (partition by run_id order by id) previous
             from run_status_changes) c
           where c.from_status is distinct from c.previous
             or (c.from_status is not null and not exists (
               select from run_transitions t where t.from_status = c.from_status and t.to_status = c.to_status))""",
    ),
    Invariant(
        "I7_no_event_after_the_end",
        "the last event of an ended run is its end",
        """select count(*) from runs r join run_events e on e.run_id = r.id and e.seq = r.event_seq
           where r.status in ('completed', 'failed', 'cancelled') and e.type <> 'run.' || r.status""",
    ),
    Invariant(
        "I8_no_open_agent_of_ended_run",
        "no agent or task is open behind an ended run",
        """select (select count(*) from agents a join runs r on r.id = a.run_id
                   where r.status in ('completed', 'failed', 'cancelled') and a.status in ('pending', 'running'))
           + (select count(*) from tasks t join runs r on r.id = t.run_id
                   where r.status in ('completed', 'failed', 'cancelled') and t.status in ('pending', 'running'))""",
    ),
    Invariant(
        "I11_money_and_status_are_audited",
        "every status change of a run after its creation has an audit entry of the same transaction",
        """select count(*) from run_status_changes c where c.from_status is not null and not exists (
             select from audit_logs a
             where a.org_id = c.org_id and a.resource_type = 'run' and a.resource_id = c.run_id
               and (a.xmin = c.xmin or a.form = 0))""",
    ),
    Invariant(
        "I11_given_credits_are_audited",
        "every purchase, refund and adjustment has an audit entry of the same transaction",
        """select count(*) from billing_ledger l where l.type in ('purchase', 'refund', 'adjustment') and not exists (
             select from audit_logs a where a.org_id = l.org_id and a.resource_type = 'ledger_entry'
               and a.resource_id = l.id and (a.xmin = l.xmin or a.form = 0))""",
    ),
    Invariant(
        "I11_audit_gap_free",
        "audit entries are numbered without gaps from 1, or from where an archive ends, to the head",
        """select count(*) from audit_heads h
           left join (select org_id, count(*) n, min(seq) f, max(seq) m from audit_logs group by org_id) a
             using (org_id)
           left join (select org_id, max(to_seq) t from audit_archives group by org_id) z using (org_id)
           where coalesce(a.m, z.t, 0) <> h.seq or a.n <> a.m - a.f + 1 or (a.f > 1 and not exists (
               select from audit_archives x where x.org_id = h.org_id and x.to_seq = a.f - 1))""",
    ),
    Invariant(
        "I17_audit_chain",
        "every audit entry hashes to what it carries, behind the one before; the last one's hash is the head's",
        """select (select count(*) from (
             select a as entry, a.hash, coalesce(lag(a.hash) over (partition by a.org_id order by a.seq),
               (select x.hash from audit_archives x where x.org_id = a.org_id and x.to_seq = a.seq - 1),
               decode(repeat('00', 32), 'hex')) previous from audit_logs a) e where hash <> audit_hash(entry, previous))
           + (select count(*) from audit_heads h where h.seq > 0 and not exists (
               select from audit_logs a where a.org_id = h.org_id and a.seq = h.seq and a.hash = h.hash)
             and not exists (
               select from audit_archives x where x.org_id = h.org_id and x.to_seq = h.seq and x.hash = h.hash))""",
    ),
    Invariant(
        "I17_ledger_hash_chain",
        "every ledger entry hashes to what it carries, behind the one before",
        """select count(*) from (
             select l as entry, l.hash, lag(l.hash, 1, decode(repeat('00', 32), 'hex'))
               over (partition by l.org_id order by l.version) previous
             from billing_ledger l) e where hash <> ledger_hash(entry, previous)""",
    ),
    Invariant(
        "I12_use_is_metered_once",
        "what a hold has metered = the sum of its attempt's usage",
        """select count(*) from credit_holds h
           left join (select org_id, run_id, attempt, sum(amount_pcr) s from usage group by org_id, run_id, attempt) u
             using (org_id, run_id, attempt)
           where h.metered_pcr <> coalesce(u.s, 0)""",
    ),
    Invariant(
        "I12_charge_is_metered_use",
        "an attempt that completed or was cancelled is charged its metered use, rounded half up; one that failed"
        " or let its hold expire, nothing",
        """select count(*) from credit_holds h join run_status_changes c
             on c.org_id = h.org_id and c.run_id = h.run_id and c.attempt = h.attempt
           where h.state = 'settled' and c.to_status in ('completed', 'failed', 'cancelled')
             and h.captured_ucr <> case when c.to_status = 'failed' or exists (
                 select from billing_ledger l
                 where l.org_id = h.org_id and l.hold_id = h.id and l.type = 'expire') then 0
               else least((h.metered_pcr + 500000) / 1000000, h.amount_ucr) end""",
    ),
    Invariant(
        "I12_file_is_charged_its_reading",
        "a ready file is charged its price, once, or nothing where its reading was kept; one that failed, nothing",
        """select count(*) from files f left join credit_holds h
             on h.org_id = f.org_id and h.run_id = f.id and h.attempt = f.attempt
           where f.deleted_at is null and ((f.status = 'ready' and not f.kept
               and (h.id is null or h.state <> 'settled' or h.captured_ucr <> h.amount_ucr
                 or h.captured_ucr <> f.charged_ucr))
             or (f.status = 'ready' and f.kept and (f.charged_ucr > 0 or h.captured_ucr > 0))
             or (f.status = 'failed' and h.id is not null and (h.state <> 'settled' or h.captured_ucr > 0)))""",
    ),
    Invariant(
        "I13_events_gap_free",
        "a run's events are numbered 1..n without gaps",
        """select count(*) from runs r
           left join (select run_id, count(*) n, max(seq) m from run_events group by run_id) e on e.run_id = r.id
           where coalesce(e.n, 0) <> r.event_seq or coalesce(e.m, 0) <> r.event_seq""",
    ),
    Invariant(
        "I14_no_row_of_another_tenant",
        "rows that name a run carry the run's organisation",
        """select (select count(*) from credit_holds x join runs r on r.id = x.run_id where x.org_id <> r.org_id)
           + (select count(*) from usage x join runs r on r.id = x.run_id where x.org_id <> r.org_id)
           + (select count(*) from billing_ledger x join runs r on r.id = x.run_id where x.org_id <> r.org_id)
           + (select count(*) from run_events x join runs r on r.id = x.run_id where x.org_id <> r.org_id)
           + (select count(*) from claims x join runs r on r.id = x.run_id where x.org_id <> r.org_id)""",
    ),
    Invariant(
        "I16_usage_windows",
        "a month's window = its open holds and its captures",
        """select count(*) from usage_windows w
           left join (select org_id, date_trunc('month', created_at, 'UTC') period_start,
             coalesce(sum(amount_ucr) filter (where state = 'open'), 0) held, sum(captured_ucr) captured
             from credit_holds group by 1, 2) h using (org_id, period_start)
           where w.held_ucr <> coalesce(h.held, 0) or w.captured_ucr <> coalesce(h.captured, 0)""",
    ),
    Invariant(
        "member_usage_windows",
        "a member's month = the open holds and the captures of the member's runs",
        """select count(*) from member_usage_windows w
           full join (select org_id, user_id, date_trunc('month', created_at, 'UTC') period_start,
             coalesce(sum(amount_ucr) filter (where state = 'open'), 0) held, sum(captured_ucr) captured
             from credit_holds where user_id is not null group by 1, 2, 3) h using (org_id, user_id, period_start)
           where coalesce(w.held_ucr, 0) <> coalesce(h.held, 0)
             or coalesce(w.captured_ucr, 0) <> coalesce(h.captured, 0)""",
    ),
    Invariant(
        "organisation_has_owner",
        "an organisation has an owner",
        """select count(*) from organisations o where not exists (
             select from memberships m where m.org_id = o.id and m.role = 'owner' and m.removed_at is null)""",
    ),
    Invariant(
        "completed_run_has_report",
        "a completed run has its report",
        """select count(*) from runs r where r.status = 'completed' and not exists (
             select from artifacts a where a.run_id = r.id and a.name = 'research_report.md')""",
    ),
)


SEE_ALL = text("set local row_security = off")
"""PostgreSQL then refuses a query that a policy would narrow, instead of narrowing it."""


async def violations(session: AsyncSession) -> dict[str, int]:
    """Return the invariants that do not hold, with the number of rows that break each; empty when all is well.

    Raises:
        DBAPIError: the session's role is bound by row-level security; it would find all well, whatever is there.
    """
    await session.execute(SEE_ALL)
    broken: dict[str, int] = {}
    for invariant in INVARIANTS:
        count = int((await session.execute(text(invariant.sql))).scalar_one())
        if count:
            broken[invariant.name] = count
    return broken
