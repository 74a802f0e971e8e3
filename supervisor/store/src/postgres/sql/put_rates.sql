-- Notes how rates stand. $1: names, $2: keys, $3: when the next start would come, in microseconds since 1970, $4: when
-- somebody who waits is to be let go, $5: whether that counts where it is null.
INSERT INTO limit_rates (limit_name, key, next_at, wake_at)
SELECT
    name, key, timestamptz 'epoch' + next_at_us * interval '1 microsecond',
    timestamptz 'epoch' + wake_at_us * interval '1 microsecond'
FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS rate (name, key, next_at_us, wake_at_us)
ON CONFLICT (limit_name, key) DO UPDATE SET
    next_at = excluded.next_at,
    wake_at = CASE WHEN $5 THEN excluded.wake_at ELSE coalesce(excluded.wake_at, limit_rates.wake_at) END
