"""Every table of the contract in its corrected form (`defects.md` D1 to D29), and those it needs and never defines.

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('audit_logs',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('actor_type', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.Text(), nullable=True),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('resource_type', sa.Text(), nullable=False),
    sa.Column('resource_id', sa.Text(), nullable=True),
    sa.Column('result', sa.Text(), nullable=False),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=True),
    sa.Column('ip_address', postgresql.INET(), nullable=True),
    sa.Column('user_agent', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("result in ('success','failure','denied')", name=op.f('ck_audit_logs_result')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_logs')),
    sa.UniqueConstraint('org_id', 'seq', name=op.f('uq_audit_logs_org_id_seq'))
    )
    op.create_index('ix_audit_logs_org_id_created_at', 'audit_logs', ['org_id', 'created_at'], unique=False)
    op.create_index('ix_audit_logs_resource', 'audit_logs', ['org_id', 'resource_type', 'resource_id'], unique=False)
    op.create_table('organisations',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('fairness_weight', sa.Integer(), nullable=False),
    sa.Column('runs_live_max', sa.Integer(), nullable=False),
    sa.Column('paused_max_s', sa.BigInteger(), server_default='2592000', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organisations'))
    )
    op.create_table('run_transitions',
    sa.Column('from_status', sa.Text(), nullable=False),
    sa.Column('to_status', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('from_status', 'to_status', name=op.f('pk_run_transitions'))
    )
    op.create_table('users',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('email', name=op.f('uq_users_email'))
    )
    op.create_table('audit_heads',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_audit_heads_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', name=op.f('pk_audit_heads'))
    )
    op.create_table('billing_ledger',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('version', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('posted_delta_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('held_delta_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('posted_after_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('held_after_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=True),
    sa.Column('hold_id', sa.Text(), nullable=True),
    sa.Column('reverses_id', sa.Text(), nullable=True),
    sa.Column('invoice_id', sa.Text(), nullable=True),
    sa.Column('idempotency_key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_by', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("(type = 'purchase' and posted_delta_ucr > 0 and held_delta_ucr = 0) or (type = 'hold' and posted_delta_ucr = 0 and held_delta_ucr > 0) or (type = 'charge' and posted_delta_ucr < 0 and held_delta_ucr = posted_delta_ucr) or (type = 'release' and posted_delta_ucr = 0 and held_delta_ucr < 0) or (type = 'expire' and posted_delta_ucr = 0 and held_delta_ucr < 0) or (type = 'refund' and posted_delta_ucr > 0 and held_delta_ucr = 0 and reverses_id is not null) or (type = 'adjustment' and posted_delta_ucr <> 0 and held_delta_ucr = 0)", name=op.f('ck_billing_ledger_deltas_fit_type')),
    sa.CheckConstraint('posted_after_ucr >= 0 and held_after_ucr >= 0 and held_after_ucr <= posted_after_ucr', name=op.f('ck_billing_ledger_after')),
    sa.ForeignKeyConstraint(['org_id', 'reverses_id'], ['billing_ledger.org_id', 'billing_ledger.id'], name=op.f('fk_billing_ledger_org_id_reverses_id_billing_ledger')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_billing_ledger_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', 'version', name=op.f('pk_billing_ledger')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_billing_ledger_org_id_id')),
    sa.UniqueConstraint('org_id', 'idempotency_key', name=op.f('uq_billing_ledger_org_id_idempotency_key'))
    )
    op.create_index('ix_billing_ledger_org_id_run_id', 'billing_ledger', ['org_id', 'run_id'], unique=False)
    op.create_index('ix_billing_ledger_reverses_id', 'billing_ledger', ['reverses_id'], unique=False, postgresql_where=sa.text('reverses_id is not null'))
    op.create_table('credit_balances',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('balance_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('reserved_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('available_ucr', sa.BigInteger(), sa.Computed('balance_ucr - reserved_ucr', persisted=True), nullable=False),
    sa.Column('monthly_limit_ucr', sa.BigInteger(), nullable=True),
    sa.Column('version', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint('balance_ucr >= 0', name=op.f('ck_credit_balances_no_overdraft')),
    sa.CheckConstraint('reserved_ucr <= balance_ucr', name=op.f('ck_credit_balances_reserved_within_balance')),
    sa.CheckConstraint('reserved_ucr >= 0', name=op.f('ck_credit_balances_reserved')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_credit_balances_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', name=op.f('pk_credit_balances'))
    )
    op.create_table('credit_holds',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('amount_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('metered_pcr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('captured_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('released_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'open' and captured_ucr = 0 and released_ucr = 0) or (state = 'settled' and captured_ucr + released_ucr = amount_ucr)", name=op.f('ck_credit_holds_resolved_once')),
    sa.CheckConstraint("state in ('open','settled')", name=op.f('ck_credit_holds_state')),
    sa.CheckConstraint('amount_ucr between 1 and 1000000000000 and captured_ucr >= 0 and released_ucr >= 0', name=op.f('ck_credit_holds_amounts')),
    sa.CheckConstraint('metered_pcr >= 0 and metered_pcr <= amount_ucr * 1000000', name=op.f('ck_credit_holds_metered_within_hold')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_credit_holds_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_credit_holds')),
    sa.UniqueConstraint('org_id', 'run_id', 'attempt', name=op.f('uq_credit_holds_org_id_run_id_attempt'))
    )
    op.create_index('ix_credit_holds_open', 'credit_holds', ['expires_at'], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_table('dead_letters',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Text(), nullable=False),
    sa.Column('error', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('replayed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_dead_letters_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dead_letters'))
    )
    op.create_index('ix_dead_letters_org_id_created_at', 'dead_letters', ['org_id', 'created_at'], unique=False)
    op.create_table('documents',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('mime_type', sa.Text(), nullable=False),
    sa.Column('object_key', sa.Text(), nullable=False),
    sa.Column('content_sha256', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('snapshot_sha256', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('author', sa.Text(), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('trust', sa.Float(), nullable=True),
    sa.Column('characters', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('passages', sa.Integer(), nullable=False),
    sa.Column('created_by', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('ready_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('processing','ready','failed')", name=op.f('ck_documents_status')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_documents_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_documents')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_documents_org_id_id'))
    )
    op.create_index('ix_documents_org_id_content_sha256', 'documents', ['org_id', 'content_sha256'], unique=False)
    op.create_index('ix_documents_processing', 'documents', ['created_at'], unique=False, postgresql_where=sa.text("status = 'processing'"))
    op.create_index('ix_documents_org_id_created_at', 'documents', ['org_id', 'created_at'], unique=False)
    op.create_table('idempotency_keys',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('route', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('status_code', sa.Integer(), nullable=False),
    sa.Column('content_type', sa.Text(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_idempotency_keys_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', 'route', 'key', name=op.f('pk_idempotency_keys'))
    )
    op.create_index('ix_idempotency_keys_created_at', 'idempotency_keys', ['created_at'], unique=False)
    op.create_table('invoices',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('credits_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("status in ('open','paid','void')", name=op.f('ck_invoices_status')),
    sa.CheckConstraint('amount_minor >= 0', name=op.f('ck_invoices_amount')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_invoices_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoices')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_invoices_org_id_id'))
    )
    op.create_table('memberships',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("role in ('owner','admin','member','viewer')", name=op.f('ck_memberships_role')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_memberships_org_id_organisations')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_memberships_user_id_users')),
    sa.PrimaryKeyConstraint('org_id', 'user_id', name=op.f('pk_memberships'))
    )
    op.create_table('snapshots',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('object_key', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_snapshots_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', 'sha256', name=op.f('pk_snapshots'))
    )
    op.create_table('usage',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('agent_number', sa.Integer(), nullable=False),
    sa.Column('operation_key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('item', sa.Text(), nullable=False),
    sa.Column('input_tokens', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('output_tokens', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('calls', sa.Integer(), nullable=False),
    sa.Column('amount_pcr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('price_version', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint('amount_pcr >= 0 and input_tokens >= 0 and output_tokens >= 0', name=op.f('ck_usage_amounts')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_usage_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_usage')),
    sa.UniqueConstraint('org_id', 'operation_key', name=op.f('uq_usage_org_id_operation_key'))
    )
    op.create_index('ix_usage_org_id_created_at', 'usage', ['org_id', 'created_at'], unique=False)
    op.create_index('ix_usage_run_id_attempt', 'usage', ['run_id', 'attempt'], unique=False)
    op.create_table('usage_windows',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('period_start', sa.DateTime(timezone=True), nullable=False),
    sa.Column('held_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('captured_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.CheckConstraint('held_ucr >= 0 and captured_ucr >= 0', name=op.f('ck_usage_windows_amounts')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_usage_windows_org_id_organisations')),
    sa.PrimaryKeyConstraint('org_id', 'period_start', name=op.f('pk_usage_windows'))
    )
    op.create_table('api_keys',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('secret_sha256', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['org_id', 'user_id'], ['memberships.org_id', 'memberships.user_id'], name=op.f('fk_api_keys_org_id_user_id_memberships')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_api_keys_org_id_id'))
    )
    op.create_index('ix_api_keys_org_id_created_at', 'api_keys', ['org_id', 'created_at'], unique=False)
    op.create_table('document_passages',
    sa.Column('document_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('start_offset', sa.Integer(), nullable=False),
    sa.Column('end_offset', sa.Integer(), nullable=False),
    sa.Column('heading', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('terms', postgresql.TSVECTOR(), sa.Computed("setweight(to_tsvector('english', heading), 'A') || setweight(to_tsvector('english', text), 'B')", persisted=True), nullable=False),
    sa.ForeignKeyConstraint(['org_id', 'document_id'], ['documents.org_id', 'documents.id'], name=op.f('fk_document_passages_org_id_document_id_documents'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('document_id', 'number', name=op.f('pk_document_passages'))
    )
    op.create_index('ix_document_passages_org_id', 'document_passages', ['org_id'], unique=False)
    op.create_index('ix_document_passages_terms', 'document_passages', ['terms'], unique=False, postgresql_using='gin')
    op.create_table('oauth_connectors',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('provider_user_id', sa.Text(), nullable=False),
    sa.Column('access_token', sa.LargeBinary(), nullable=False),
    sa.Column('refresh_token', sa.LargeBinary(), nullable=True),
    sa.Column('key_id', sa.Text(), nullable=False),
    sa.Column('algorithm', sa.Text(), nullable=False),
    sa.Column('token_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['org_id', 'user_id'], ['memberships.org_id', 'memberships.user_id'], name=op.f('fk_oauth_connectors_org_id_user_id_memberships')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oauth_connectors')),
    sa.UniqueConstraint('org_id', 'user_id', 'provider', 'provider_user_id', name=op.f('uq_oauth_connectors_org_id_user_id_provider_provider_user_id'))
    )
    op.create_table('workspaces',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('owner_id', sa.Text(), nullable=False),
    sa.Column('default_permission', sa.Text(), nullable=False),
    sa.Column('shared_link_sha256', sa.LargeBinary(), nullable=True),
    sa.Column('shared_link_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("default_permission in ('viewer','editor')", name=op.f('ck_workspaces_default_permission')),
    sa.CheckConstraint('(shared_link_sha256 is null) = (shared_link_expires_at is null)', name=op.f('ck_workspaces_link_expires')),
    sa.ForeignKeyConstraint(['org_id', 'owner_id'], ['memberships.org_id', 'memberships.user_id'], name=op.f('fk_workspaces_org_id_owner_id_memberships')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_workspaces')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_workspaces_org_id_id')),
    sa.UniqueConstraint('shared_link_sha256', name=op.f('uq_workspaces_shared_link_sha256'))
    )
    op.create_table('runs',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('workspace_id', sa.Text(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('task', sa.Text(), nullable=False),
    sa.Column('context', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('status_detail', sa.Text(), nullable=True),
    sa.Column('max_agents', sa.Integer(), nullable=False),
    sa.Column('agent_count', sa.Integer(), nullable=False),
    sa.Column('max_tokens', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('tokens_used', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('max_tries', sa.Integer(), nullable=False),
    sa.Column('seq', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('event_seq', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('quoted_ucr', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('last_error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('quality', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('plan', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resumed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('created', 'pending', 'running', 'paused', 'resuming', 'retrying', 'completed', 'failed', 'cancelled')", name=op.f('ck_runs_status')),
    sa.CheckConstraint('attempt >= 1 and seq >= 0 and event_seq >= 0', name=op.f('ck_runs_counters')),
    sa.ForeignKeyConstraint(['org_id', 'workspace_id'], ['workspaces.org_id', 'workspaces.id'], name=op.f('fk_runs_org_id_workspace_id_workspaces')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_runs_org_id_organisations')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_runs_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_runs')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_runs_org_id_id'))
    )
    op.create_index('ix_runs_live', 'runs', ['status', 'updated_at'], unique=False, postgresql_where=sa.text("status in ('created','pending','running','paused','resuming','retrying')"))
    op.create_index('ix_runs_org_id_created_at', 'runs', ['org_id', sa.literal_column('created_at desc'), sa.literal_column('id desc')], unique=False)
    op.create_table('workspace_members',
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('workspace_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("role in ('viewer','editor','admin')", name=op.f('ck_workspace_members_role')),
    sa.ForeignKeyConstraint(['org_id', 'user_id'], ['memberships.org_id', 'memberships.user_id'], name=op.f('fk_workspace_members_org_id_user_id_memberships')),
    sa.ForeignKeyConstraint(['org_id', 'workspace_id'], ['workspaces.org_id', 'workspaces.id'], name=op.f('fk_workspace_members_org_id_workspace_id_workspaces'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('org_id', 'workspace_id', 'user_id', name=op.f('pk_workspace_members'))
    )
    op.create_table('agents',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('subtask', sa.Text(), nullable=False),
    sa.Column('steps', sa.Integer(), nullable=False),
    sa.Column('tokens_used', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('claims', sa.Integer(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('last_error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('pending', 'running', 'completed', 'failed', 'cancelled')", name=op.f('ck_agents_status')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_agents_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agents')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_agents_org_id_id')),
    sa.UniqueConstraint('org_id', 'run_id', 'number', name=op.f('uq_agents_org_id_run_id_number'))
    )
    op.create_table('artifacts',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('mime_type', sa.Text(), nullable=False),
    sa.Column('object_key', sa.Text(), nullable=False),
    sa.Column('content_sha256', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_artifacts_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_artifacts')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_artifacts_org_id_id')),
    sa.UniqueConstraint('org_id', 'run_id', 'name', name=op.f('uq_artifacts_org_id_run_id_name'))
    )
    op.create_table('email_ingestions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=True),
    sa.Column('from_address', sa.Text(), nullable=False),
    sa.Column('to_address', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=False),
    sa.Column('message_id_sha256', sa.LargeBinary(), nullable=False),
    sa.Column('in_reply_to', sa.Text(), nullable=True),
    sa.Column('thread_id', sa.Text(), nullable=True),
    sa.Column('attachment_keys', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('processed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('pending','processing','completed','failed','quarantined')", name=op.f('ck_email_ingestions_status')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_email_ingestions_org_id_run_id_runs')),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], name=op.f('fk_email_ingestions_org_id_organisations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_ingestions')),
    sa.UniqueConstraint('org_id', 'message_id_sha256', name=op.f('uq_email_ingestions_org_id_message_id_sha256'))
    )
    op.create_index('ix_email_ingestions_org_id_thread_id', 'email_ingestions', ['org_id', 'thread_id'], unique=False)
    op.create_table('run_events',
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('agent_number', sa.Integer(), nullable=True),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("level in ('debug','info','warning','error')", name=op.f('ck_run_events_level')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_run_events_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'seq', name=op.f('pk_run_events'))
    )
    op.create_table('run_status_changes',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('from_status', sa.Text(), nullable=True),
    sa.Column('to_status', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_run_status_changes_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_run_status_changes'))
    )
    op.create_index('ix_run_status_changes_run_id', 'run_status_changes', ['run_id', 'id'], unique=False)
    op.create_table('sources',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('snapshot_sha256', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('uri', sa.Text(), nullable=False),
    sa.Column('document_id', sa.Text(), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('relevance', sa.Float(), nullable=False),
    sa.Column('trust', sa.Float(), nullable=False),
    sa.Column('recency', sa.Float(), nullable=False),
    sa.Column('reasons', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('number', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint('relevance between 0 and 1 and trust between 0 and 1 and recency between 0 and 1', name=op.f('ck_sources_score')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_sources_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['org_id', 'snapshot_sha256'], ['snapshots.org_id', 'snapshots.sha256'], name=op.f('fk_sources_org_id_snapshot_sha256_snapshots')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sources')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_sources_org_id_id')),
    sa.UniqueConstraint('org_id', 'run_id', 'snapshot_sha256', name=op.f('uq_sources_org_id_run_id_snapshot_sha256'))
    )
    op.create_table('tasks',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('sequence_number', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('pending','running','completed','failed','cancelled','skipped')", name=op.f('ck_tasks_status')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_tasks_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tasks')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_tasks_org_id_id')),
    sa.UniqueConstraint('org_id', 'run_id', 'sequence_number', name=op.f('uq_tasks_org_id_run_id_sequence_number'))
    )
    op.create_table('claims',
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('agent_number', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('snapshot_sha256', sa.Text(), nullable=False),
    sa.Column('start_offset', sa.Integer(), nullable=False),
    sa.Column('end_offset', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('quote', sa.Text(), nullable=False),
    sa.Column('relevance', sa.Float(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint('start_offset >= 0 and end_offset > start_offset', name=op.f('ck_claims_span')),
    sa.ForeignKeyConstraint(['org_id', 'run_id', 'snapshot_sha256'], ['sources.org_id', 'sources.run_id', 'sources.snapshot_sha256'], name=op.f('fk_claims_org_id_run_id_snapshot_sha256_sources'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_claims_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'id', name=op.f('pk_claims'))
    )
    op.create_index('ix_claims_run_id_agent_number', 'claims', ['run_id', 'agent_number'], unique=False)
    op.create_table('exports',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('format', sa.Text(), nullable=False),
    sa.Column('options', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('artifact_id', sa.Text(), nullable=True),
    sa.Column('error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('processing','completed','failed','cancelled')", name=op.f('ck_exports_status')),
    sa.ForeignKeyConstraint(['org_id', 'artifact_id'], ['artifacts.org_id', 'artifacts.id'], name=op.f('fk_exports_org_id_artifact_id_artifacts')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_exports_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exports')),
    sa.UniqueConstraint('org_id', 'id', name=op.f('uq_exports_org_id_id'))
    )
    op.create_table('steps',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('org_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Text(), nullable=True),
    sa.Column('operation_key', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('agent_number', sa.Integer(), nullable=False),
    sa.Column('sequence_number', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('tool_name', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('input', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('output', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('duration_ms', sa.BigInteger(), server_default='0', nullable=False),
    sa.CheckConstraint("status in ('completed', 'failed', 'cancelled')", name=op.f('ck_steps_status')),
    sa.ForeignKeyConstraint(['org_id', 'run_id'], ['runs.org_id', 'runs.id'], name=op.f('fk_steps_org_id_run_id_runs'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['org_id', 'task_id'], ['tasks.org_id', 'tasks.id'], name=op.f('fk_steps_org_id_task_id_tasks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_steps')),
    sa.UniqueConstraint('org_id', 'operation_key', name=op.f('uq_steps_org_id_operation_key'))
    )
    op.create_index('ix_steps_run_id_agent_number', 'steps', ['run_id', 'agent_number', 'sequence_number'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_steps_run_id_agent_number', table_name='steps')
    op.drop_table('steps')
    op.drop_table('exports')
    op.drop_index('ix_claims_run_id_agent_number', table_name='claims')
    op.drop_table('claims')
    op.drop_table('tasks')
    op.drop_table('sources')
    op.drop_index('ix_run_status_changes_run_id', table_name='run_status_changes')
    op.drop_table('run_status_changes')
    op.drop_table('run_events')
    op.drop_index('ix_email_ingestions_org_id_thread_id', table_name='email_ingestions')
    op.drop_table('email_ingestions')
    op.drop_table('artifacts')
    op.drop_table('agents')
    op.drop_table('workspace_members')
    op.drop_index('ix_runs_org_id_created_at', table_name='runs')
    op.drop_index('ix_runs_live', table_name='runs', postgresql_where=sa.text("status in ('created','pending','running','paused','resuming','retrying')"))
    op.drop_table('runs')
    op.drop_table('workspaces')
    op.drop_table('oauth_connectors')
    op.drop_index('ix_document_passages_terms', table_name='document_passages', postgresql_using='gin')
    op.drop_index('ix_document_passages_org_id', table_name='document_passages')
    op.drop_table('document_passages')
    op.drop_index('ix_api_keys_org_id_created_at', table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_table('usage_windows')
    op.drop_index('ix_usage_run_id_attempt', table_name='usage')
    op.drop_index('ix_usage_org_id_created_at', table_name='usage')
    op.drop_table('usage')
    op.drop_table('snapshots')
    op.drop_table('memberships')
    op.drop_table('invoices')
    op.drop_index('ix_idempotency_keys_created_at', table_name='idempotency_keys')
    op.drop_table('idempotency_keys')
    op.drop_index('ix_documents_org_id_created_at', table_name='documents')
    op.drop_index('ix_documents_processing', table_name='documents', postgresql_where=sa.text("status = 'processing'"))
    op.drop_index('ix_documents_org_id_content_sha256', table_name='documents')
    op.drop_table('documents')
    op.drop_index('ix_dead_letters_org_id_created_at', table_name='dead_letters')
    op.drop_table('dead_letters')
    op.drop_index('ix_credit_holds_open', table_name='credit_holds', postgresql_where=sa.text("state = 'open'"))
    op.drop_table('credit_holds')
    op.drop_table('credit_balances')
    op.drop_index('ix_billing_ledger_reverses_id', table_name='billing_ledger', postgresql_where=sa.text('reverses_id is not null'))
    op.drop_index('ix_billing_ledger_org_id_run_id', table_name='billing_ledger')
    op.drop_table('billing_ledger')
    op.drop_table('audit_heads')
    op.drop_table('users')
    op.drop_table('run_transitions')
    op.drop_table('organisations')
    op.drop_index('ix_audit_logs_resource', table_name='audit_logs')
    op.drop_index('ix_audit_logs_org_id_created_at', table_name='audit_logs')
    op.drop_table('audit_logs')
