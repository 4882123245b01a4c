"""The check of quotas in one query: half of the database time of an insert went into it."""
# ruff: noqa: S608 -- fixed words

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

LIMITS = ("tasks", "series", "reminders", "tokens", "storage")
SUMS = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in LIMITS)
OVER = " OR ".join(f"NEW.{name} > 0 AND (limits->>'{name}')::bigint BETWEEN 1 AND total.{name} - 1" for name in LIMITS)
GROWN = "ARRAY(SELECT key FROM jsonb_each(to_jsonb(NEW) - '{id,user_id,is_growth}'::text[]) WHERE value > '0')"
CHECK = f"""
CREATE OR REPLACE FUNCTION usage_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_over boolean;
    is_many boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('usage ' || NEW.user_id, 0));  -- as lock_usage, without a call
    SELECT {OVER}, changes > 50 INTO is_over, is_many
    FROM (SELECT count(*) AS changes, {SUMS} FROM usage_changes WHERE user_id = NEW.user_id) AS total,
        (SELECT quota_defaults.limits || users.quotas AS limits FROM quota_defaults, users
         WHERE users.id = NEW.user_id) AS own;
    IF is_over THEN
        PERFORM refuse_over_quota(ARRAY[NEW.user_id], {GROWN}, 1);
    END IF;
    IF is_many THEN
        PERFORM sum_up_usage(NEW.user_id);
    END IF;
    RETURN NULL;
END $$
"""
BEFORE = f"""
CREATE OR REPLACE FUNCTION usage_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    grown text[] := {GROWN};
BEGIN
    PERFORM lock_usage(NEW.user_id);
    PERFORM refuse_over_quota(ARRAY[NEW.user_id], grown, 1);
    IF (SELECT count(*) > 50 FROM usage_changes WHERE user_id = NEW.user_id) THEN
        PERFORM sum_up_usage(NEW.user_id);
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(CHECK)


def downgrade() -> None:
    op.execute(BEFORE)
